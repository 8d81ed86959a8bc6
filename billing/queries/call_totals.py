"""The totals of a filter of calls: read from the roll-ups if they have it, else counted."""

from datetime import date, timedelta
from typing import Any

import msgspec
from psycopg import AsyncConnection

from billing.periods import Period
from billing.queries.call_filter import ANY, NONE, UNRATED, CallFilter, where_calls
from billing.queries.reach import Reach
from billing.values import Money

COUNT_BOUND = 20_000  # counting more rows takes too long for a page


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the whole filter. If `more` is true, there are more calls than were counted.

    Suspended and voided calls count as calls and add nothing to the other sums.
    """

    calls: int = 0
    rated: int = 0
    answered: int = 0  # rated calls only
    talk_ms: int = 0
    amounts: tuple[Money, ...] = ()
    more: bool = False


class RollUp(msgspec.Struct, frozen=True):
    """A table of sums, and the condition that selects what the filter needs."""

    table: str
    answered: str
    where: str


BY_RESULT = "sum(c.calls) filter (where c.result = 'answered')"
COUNTED = "sum(c.answered)"
# The columns of each roll-up besides the period, the account and the currency.
KNOWN = {
    "usage_days": {"call_class", "result"},
    "usage_areas": {"area"},
    "usage_hours": {"call_class", "weekday", "hour"},
}
COLUMNS = {
    "result": "c.result = %(result)s",
    "currency": "c.currency = %(currency)s",
    "weekday": "extract(isodow from c.day) = %(weekday)s",
    "hour": "c.hour = %(hour)s",
}
ACCOUNTS = ("companies", "user_account", "gateway_account", "device_id")
DETAILS = ("text", "extension", "area", "least_micros", "most_micros", "weekday", "hour")
# Begins with the company because the primary key does.
OF_USER = """
 c.company_id in (select company_id from accounts where account = %(user_account)s)
 and c.user_account_id = %(user_account)s"""
AREAS = """
select distinct area from usage_areas
where account = any(%(accounts)s) and day > %(after)s and day <= %(last)s and area <> ''
order by area"""
AREA_DAYS = 31  # the end of a period: the areas of its last month are enough
SUMS = f"""
 count(*), count(*) filter (where not {UNRATED}),
 count(*) filter (where not {UNRATED} and result = 'answered'),
 coalesce(sum(talk_ms) filter (where not {UNRATED}), 0)::bigint,
 coalesce(sum(amount_micros) filter (where not {UNRATED}), 0)::bigint"""


def days_of(period: Period) -> list[date]:
    """Return every day of a period. With a list of days the index is used for any column order."""
    count = (period.last - period.first).days + 1
    return [period.first + timedelta(days=number) for number in range(count)]


def accounts_of(wanted: CallFilter) -> tuple[str, list[str]] | None:
    """Return the kind and ids that roll-ups store for the filter's accounts; None if they can't."""
    companies, gateway = wanted.companies, wanted.gateway_account
    own = companies or []
    found = {
        (): ("*", ["*"]),
        ("companies",): ("company", [f"company:{each}" for each in own]),
        ("device_id",): ("device", [f"device:{wanted.device_id}"]),
        ("gateway_account",): ("gateway", [gateway]),
    }
    if gateway == NONE:
        del found["gateway_account",]
    for kind in ("user", "gateway"):
        field = f"{kind}_account"
        if getattr(wanted, field) == ANY:
            found[field,] = f"{kind}s", [f"{kind}s:"]
            found["companies", field] = f"{kind}s", [f"{kind}s:{each}" for each in own]
    said = (field for field in ACCOUNTS if getattr(wanted, field) not in ("", None))
    return found.get(tuple(said))


def roll_up_of(wanted: CallFilter) -> RollUp | None:
    """Return the roll-up that can answer this filter; None if the calls must be counted."""
    if wanted.status not in ("", "charged"):
        return None
    details = {field for field in DETAILS if getattr(wanted, field) not in ("", None)}
    details |= {field for field in ("call_class", "result") if getattr(wanted, field)}
    accounts = accounts_of(wanted)
    if accounts is None:
        alone = not (wanted.gateway_account or wanted.device_id)
        return _by_user(wanted) if alone and details <= KNOWN["usage_days"] else None
    kind, names = accounts
    whose = "c.account = %(account)s" if len(names) == 1 else "c.account = any(%(accounts)s)"
    for table, known in KNOWN.items():
        if details <= known and (table == "usage_days" or kind != "device"):
            conditions = [whose, *_equal(wanted, details | {"currency"})]
            if table == "usage_days":
                conditions.append("c.kind = %(kind)s")
            if "area" in details:
                conditions.append(_present(wanted.area, "c.area", "area"))
            answered = BY_RESULT if table == "usage_days" else COUNTED
            return RollUp(table, answered, " and ".join(conditions))
    return None


def _by_user(wanted: CallFilter) -> RollUp:
    """The roll-up of user accounts, for one of them and perhaps its company."""
    conditions = _equal(wanted, {"call_class", "result", "currency"})
    if wanted.companies is not None:
        conditions.append("c.company_id = any(%(companies)s)")
    whose = OF_USER if wanted.user_account != NONE else "c.user_account_id = ''"
    return RollUp("daily_usage", BY_RESULT, " and ".join([*conditions, whose]))


def _equal(wanted: CallFilter, fields: set[str]) -> list[str]:
    found = [
        condition
        for field, condition in COLUMNS.items()
        if field in fields and getattr(wanted, field) not in ("", None)
    ]
    if "call_class" in fields:
        found.append(_present(wanted.call_class, "c.class", "call_class"))
    return list(filter(None, found))


def _present(value: str, column: str, field: str) -> str:
    if value in (ANY, NONE):
        return f"{column} {'<>' if value == ANY else '='} ''"
    return f"{column} = %({field})s" if value else ""


async def total_calls(connection: AsyncConnection[Any], wanted: CallFilter) -> Totals:
    """Return the totals of every call that passes the filter, on all pages."""
    roll_up = roll_up_of(wanted)
    if roll_up is None:
        return await _count(connection, wanted)
    where, values = where_calls(wanted)
    kind, names = accounts_of(wanted) or ("", [])
    values |= {"days": days_of(wanted.period), "kind": kind, "accounts": names}
    values["account"] = names[0] if names else ""
    cursor = await connection.execute(
        f"select c.currency, sum(c.calls)::bigint, sum(c.calls)::bigint,"
        f" coalesce({roll_up.answered}, 0)::bigint, sum(c.talk_ms)::bigint,"
        f" sum(c.amount_micros)::bigint from {roll_up.table} c"
        f" where c.day = any(%(days)s) and {roll_up.where} group by c.currency",
        values,
    )
    totals = _totals(await cursor.fetchall())
    if wanted.status == "charged":
        return totals
    cursor = await connection.execute(
        f"select count(*) from call_list c where {where} and {UNRATED}", values
    )
    unrated = await cursor.fetchone() or (0,)
    return msgspec.structs.replace(totals, calls=totals.calls + unrated[0])


async def _count(connection: AsyncConnection[Any], wanted: CallFilter) -> Totals:
    where, values = where_calls(wanted)
    cursor = await connection.execute(
        f"select currency, {SUMS} from (select currency, status, result, talk_ms, amount_micros"
        f" from call_list c where {where} limit {COUNT_BOUND + 1}) counted group by currency",
        values,
    )
    totals = _totals(await cursor.fetchall())
    if totals.calls > COUNT_BOUND:
        # Only an arbitrary part was read, so its sums would be wrong figures.
        return Totals(calls=COUNT_BOUND, more=True)
    return totals


def _totals(rows: list[tuple[Any, ...]]) -> Totals:
    return Totals(
        calls=sum(row[1] for row in rows),
        rated=sum(row[2] for row in rows),
        answered=sum(row[3] for row in rows),
        talk_ms=sum(row[4] for row in rows),
        amounts=tuple(Money(row[5], row[0]) for row in sorted(rows) if row[0] and row[2]),
    )


async def area_choices(connection: AsyncConnection[Any], reach: Reach, period: Period) -> list[str]:
    """Return the areas called in the last month of a period, by name."""
    first = max(period.first, period.last - timedelta(days=AREA_DAYS))
    companies = reach.within("")
    accounts = ["*"] if companies is None else [f"company:{each}" for each in companies]
    values = {"accounts": accounts, "after": first - timedelta(days=1), "last": period.last}
    cursor = await connection.execute(AREAS, values)
    return [row[0] for row in await cursor.fetchall()]

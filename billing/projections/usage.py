"""Usage: calls, talk time and amounts added up by day, hour and area, for each account."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, cast

from psycopg import Cursor

from billing.aggregates.call import CallRated, CallRerated, CallVoided
from billing.aggregates.posting import posted_ratings
from billing.binary_arrays import Int8Array, TextArray, register
from billing.projections.days import local_hour
from billing.store import Recorded

NAME = "usage"
ALL = "*"  # the account under which every call is added up

KEYS = {
    "daily_usage": (
        "day",
        "company_id",
        "user_account_id",
        "class",
        "result",
        "currency",
    ),
    "usage_months": ("month", "company_id", "user_account_id", "class", "currency"),
    "usage_days": ("kind", "day", "account", "class", "result", "currency"),
    "usage_hours": ("account", "day", "hour", "class", "currency"),
    "usage_areas": ("account", "day", "area", "currency"),
}
TABLES = (*KEYS, "usage_settled")
SUMS = ("calls", "talk_ms", "billed_seconds", "amount_micros", "answered")
WITH_RESULT = ("daily_usage", "usage_days")  # `answered` is a key of these
Key = tuple[Any, ...]
Sums = dict[Key, list[int]]
CallEvent = CallRated | CallRerated | CallVoided


def _sums_of(table: str) -> tuple[str, ...]:
    return SUMS[:-1] if table in WITH_RESULT else SUMS


def _statement(table: str) -> str:
    keys, sums = KEYS[table], _sums_of(table)
    types = {"day": "date", "month": "date", "hour": "int8"}
    given = [f"%s::{types.get(key, 'text')}[]" for key in keys] + ["%s::int8[]" for _ in sums]
    added = ", ".join(f"{each} = usage.{each} + excluded.{each}" for each in sums)
    return (
        f"insert into {table} as usage ({', '.join(keys + sums)})"
        f" select * from unnest({', '.join(given)})"
        f" on conflict ({', '.join(keys)}) do update set {added}"
    )


ADD = {table: _statement(table) for table in KEYS}
SETTLED = "select max(through) from usage_settled"
# A month that is over is added up once; what comes later for it is added to that.
SETTLE = """
insert into usage_months
select date_trunc('month', day)::date, company_id, user_account_id, class, currency, sum(calls),
  sum(talk_ms), sum(billed_seconds), sum(amount_micros),
  coalesce(sum(calls) filter (where result = 'answered'), 0)
from daily_usage where day >= %s and day < %s and user_account_id <> ''
group by 1, 2, 3, 4, 5"""
REMEMBER_SETTLED = "insert into usage_settled values (%s)"
STRAGGLING = timedelta(days=2)  # into the next month, before one is added up
BEGINNING = date(1, 1, 1)


def apply(cursor: Cursor[Any], batch: Sequence[Recorded], zone: str) -> None:
    """Add up the calls of a batch, by local days of `zone`."""
    calls: Sums = {}
    areas: Sums = {}
    for recorded in batch:
        for sign, rating in posted_ratings(recorded.event):
            # Nothing but an event of a call posts anything.
            event = cast("CallEvent", recorded.event)
            cdr = event.cdr
            whose = (
                rating.company_id,
                rating.user_account,
                rating.gateway_account,
                event.device_id,
            )
            when = local_hour(event.filed_at, zone)
            result, currency = cdr.result, rating.currency
            talk_ms, billed_seconds = sign * cdr.billed_ms, sign * rating.billed_seconds
            amount = sign * rating.amount_micros
            key: Key = (when, whose, rating.call_class, result, currency)
            if total := calls.get(key):
                total[0] += sign
                total[1] += talk_ms
                total[2] += billed_seconds
                total[3] += amount
            else:
                calls[key] = [sign, talk_ms, billed_seconds, amount]
            key = (when[0], whose, rating.area, result, currency)
            if total := areas.get(key):
                total[0] += sign
                total[1] += talk_ms
                total[2] += billed_seconds
                total[3] += amount
            else:
                areas[key] = [sign, talk_ms, billed_seconds, amount]
    if calls:
        register(cursor)
        ((settled,),) = cursor.execute(SETTLED).fetchall()
        through = settled or BEGINNING
        for table, sums in _tables(calls, areas, through).items():
            if sums:
                cursor.execute(ADD[table], _columns(table, sums))
        newest = max(day for (day, _), *_ in calls)
        over = (newest - STRAGGLING).replace(day=1)
        if over > through:
            cursor.execute(SETTLE, (through, over))
            cursor.execute(REMEMBER_SETTLED, (over,))


def _tables(calls: Sums, areas: Sums, through: date) -> dict[str, Sums]:
    """What each table gains. Thousands of calls have few keys: this goes through those alone."""
    tables: dict[str, Sums] = {table: {} for table in KEYS}
    daily, months, days, hours, by_area = tables.values()
    for ((day, hour), whose, call_class, result, currency), figures in calls.items():
        company, user, *_ = whose
        _add(daily, (day, company, user, call_class, result, currency), figures)
        answered = [*figures, figures[0] if result == "answered" else 0]
        if user and day < through:
            _add(months, (day.replace(day=1), company, user, call_class, currency), answered)
        for kind, account in accounts_of(*whose):
            _add(days, (kind, day, account, call_class, result, currency), figures)
            if kind != "device":
                _add(hours, (account, day, hour, call_class, currency), answered)
    for (day, whose, area, result, currency), figures in areas.items():
        answered = [*figures, figures[0] if result == "answered" else 0]
        for kind, account in accounts_of(*whose):
            if kind != "device":
                _add(by_area, (account, day, area, currency), answered)
    return tables


def _add(sums: Sums, key: Key, figures: list[int]) -> None:
    found = sums.get(key)
    if found is None:
        sums[key] = figures.copy()
    else:
        for place, figure in enumerate(figures):
            found[place] += figure


def _columns(table: str, sums: Sums) -> list[Any]:
    """The arrays of a table's statement."""
    keys = zip(*sums, strict=True)
    columns: list[Any] = []
    for name, values in zip(KEYS[table], keys, strict=True):
        if name in ("day", "month"):
            columns.append(list(values))
        elif name == "hour":
            columns.append(Int8Array.of_numbers(values))
        else:
            columns.append(TextArray.of([value.encode() for value in values]))
    figures = zip(*sums.values(), strict=True)
    return [*columns, *(Int8Array.of_numbers(column) for column in figures)]


@lru_cache(maxsize=20_000)
def accounts_of(
    company_id: str, user_account: str, gateway_account: str, device_id: str
) -> tuple[tuple[str, str], ...]:
    """The accounts a call is added up under, each with its kind (migration 0050 lists them)."""
    return tuple(_accounts_of(company_id, user_account, gateway_account, device_id))


def _accounts_of(company_id: str, user: str, gateway: str, device_id: str) -> Iterator[Key]:
    yield ALL, ALL
    yield "company", f"company:{company_id}"
    yield "device", f"device:{device_id}"
    if user:
        yield "users", "users:"
        yield "users", f"users:{company_id}"
    if gateway:
        yield "gateway", gateway
        yield "gateways", "gateways:"
        yield "gateways", f"gateways:{company_id}"

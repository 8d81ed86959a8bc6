"""The statistics: sums of calls by period, hour, area and account, from the roll-ups."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from psycopg import AsyncConnection

from billing.periods import Period
from billing.projections import usage_months
from billing.queries.call_filter import UNRATED
from billing.queries.call_totals import days_of
from billing.queries.reach import Reach

Kind = Literal["company", "user", "gateway"]
Grain = Literal["hour", "day", "week", "month"]
MEASURES = ("amount", "calls", "answered", "talk", "billed")
TOP = 50  # accounts in a ranking


class Figures(msgspec.Struct):
    """Sums of calls. Amounts are kept by currency and never added across currencies."""

    calls: int = 0
    answered: int = 0
    talk_ms: int = 0
    billed_seconds: int = 0
    amounts: dict[str, int] = {}

    def add(self, currency: str, sums: Iterable[int]) -> None:
        """Add the sums of one currency."""
        calls, answered, talk_ms, billed_seconds, amount_micros = sums
        self.calls += calls
        self.answered += answered
        self.talk_ms += talk_ms
        self.billed_seconds += billed_seconds
        if currency and (amount_micros or calls):
            self.amounts[currency] = self.amounts.get(currency, 0) + amount_micros

    def measure(self, name: str, currency: str) -> int:
        """Return one figure: micro-units of `currency`, a number of calls, or seconds."""
        if name == "amount":
            return self.amounts.get(currency, 0)
        if name == "talk":
            return self.talk_ms // 1000
        return int(getattr(self, {"billed": "billed_seconds"}.get(name, name)))


class Split(msgspec.Struct):
    """Figures in total and by class of call."""

    total: Figures = msgspec.field(default_factory=Figures)
    classes: dict[str, Figures] = {}

    def add(self, call_class: str, currency: str, sums: Iterable[int]) -> None:
        """Add the sums of one class and currency."""
        given = tuple(sums)
        self.total.add(currency, given)
        self.classes.setdefault(call_class, Figures()).add(currency, given)


class StatisticsFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls the statistics count: by kind of account, for a company or one account."""

    reach: Reach
    kind: Kind
    period: Period
    zone: ZoneInfo
    company_id: str = ""
    account: str = ""  # of that kind; for companies use `company_id`

    @property
    def companies(self) -> list[str] | None:
        """The companies whose calls count; None: every call."""
        return self.reach.within(self.company_id)

    @property
    def subjects(self) -> tuple[str, list[str]]:
        """The kind and the ids under which the roll-ups store these sums."""
        if self.account:
            return self.account.partition(":")[0], [self.account]
        companies = self.companies
        if self.kind == "company":
            if companies is None:
                return "*", ["*"]
            return "company", [f"company:{each}" for each in companies]
        of = [""] if companies is None else companies
        return f"{self.kind}s", [f"{self.kind}s:{each}" for each in of]

    @property
    def ranked(self) -> Kind | None:
        """The kind of account to rank; for one company its user accounts."""
        if self.account:
            return None
        return "user" if self.kind == "company" and self.company_id else self.kind


class Ranked(msgspec.Struct, frozen=True):
    account: str
    name: str
    company: str  # of a user or gateway account
    split: Split


class Ranking(msgspec.Struct, frozen=True, kw_only=True):
    """The accounts with the highest figures, and the number of all accounts with calls."""

    rows: list[Ranked]
    accounts: int


SUMS = """
 sum(calls)::int8, sum(answered)::int8, sum(talk_ms)::int8, sum(billed_seconds)::int8,
 sum(amount_micros)::int8"""
CHARGED = "having sum(calls) <> 0"  # a voided call leaves rows with zeros
BY_RESULT = "case when result = 'answered' then calls else 0 end as answered"
FIGURES = "calls, talk_ms, billed_seconds, amount_micros"
# Filtered by company as well, because the primary key begins with it.
OF_USER = """
 company_id in (select company_id from accounts where account = %(subject)s)
 and user_account_id = %(subject)s"""
DAYS = f"""
 (select day, class, currency, {FIGURES}, {BY_RESULT} from usage_days
  where kind = %(kind)s and day = any(%(days)s) and {{whose}}) s"""
DAYS_OF_USER = f"""
 (select day, class, currency, {FIGURES}, {BY_RESULT} from daily_usage
  where day = any(%(days)s) and {OF_USER} and {{within}}) s"""
HOURS = """
 (select * from usage_hours where {whose} and day between %(first)s and %(last)s) s"""
# Full months inside the period come from the sums of months, the other days from days.
REST = "day between %(first)s and %(last)s and not (day >= %(month)s and day < %(through)s)"
WHOLE = "month >= %(month)s and month < %(through)s"
WEEK = f"""
 (select weekday, hour, class, currency, {FIGURES}, answered from usage_hour_months
  where {{whose}} and {WHOLE}
  union all
  select extract(isodow from day)::int, hour, class, currency, {FIGURES}, answered from usage_hours
  where {{whose}} and {REST}) s"""
AREAS = f"""
 (select area, '' as class, currency, {FIGURES}, answered from usage_area_months
  where {{whose}} and {WHOLE}
  union all
  select area, '' as class, currency, {FIGURES}, answered from usage_areas
  where {{whose}} and {REST}) s"""
# There are many small user accounts: their hours and areas are summed up from their own calls
# (docs/decisions/0050).
CALLS_OF_USER = f"""
 (select (started_at at time zone %(zone)s)::date as day,
   extract(isodow from started_at at time zone %(zone)s)::int as weekday,
   extract(hour from started_at at time zone %(zone)s)::int as hour, class, area, currency,
   1 as calls, (result = 'answered')::int as answered, talk_ms, billed_seconds, amount_micros
  from call_list where user_account_id = %(subject)s and user_account_id <> ''
   and started_at >= %(begin)s and started_at < %(end)s and not {UNRATED} and {{own}}) s"""
BUCKETS = {
    "hour": "day, hour",
    "day": "day, 0",
    "week": "date_trunc('week', day)::date, 0",
    "month": "date_trunc('month', day)::date, 0",
}
ORDER = {
    "amount": "sum(amount_micros) filter (where currency = %(currency)s)",
    "calls": "sum(calls)",
    "answered": "sum(answered)",
    "talk": "sum(talk_ms)",
    "billed": "sum(billed_seconds)",
}
RANKED = f"""
 select account, class, currency, {FIGURES}, answered from usage_account_months
 where kind = %(ranked)s and {WHOLE} {{company}}
 union all
 select account, class, currency, {FIGURES}, {BY_RESULT} from usage_days
 where kind = %(ranked)s and {REST} {{company}}"""
RANKED_USERS = f"""
 select user_account_id as account, class, currency, {FIGURES}, answered from usage_months
 where {WHOLE} {{company}}
 union all
 select user_account_id as account, class, currency, {FIGURES}, {BY_RESULT} from daily_usage
 where {REST} and user_account_id <> '' {{company}}"""
OF_COMPANY = " and account in (select account from accounts where company_id = any(%(companies)s))"
USERS_OF_COMPANY = " and company_id = any(%(companies)s)"
RANK = """
with sums as (
  select account, class, currency, {sums} from ({source}) s group by account, class, currency
  {charged}
), named (account, class, currency, calls, answered, talk_ms, billed_seconds, amount_micros) as (
  select * from sums
), ranked as (
  select account, row_number() over (order by {order} desc nulls last, account) as place,
   count(*) over () as accounts
  from named group by account
)
select r.account, coalesce(a.name, r.account), coalesce(c.name, ''), r.accounts, n.class,
 n.currency, n.calls, n.answered, n.talk_ms, n.billed_seconds, n.amount_micros
from ranked r join named n on n.account = r.account left join accounts a on a.account = r.account
 left join accounts c on c.account = 'company:' || a.company_id and a.kind <> 'company'
where r.place <= {top} order by r.place"""


def _values(wanted: StatisticsFilter) -> dict[str, Any]:
    begin, end = wanted.period.bounds(wanted.zone)
    kind, names = wanted.subjects
    return {
        "subject": names[0] if names else "",
        "subjects": names,
        "kind": kind,
        "ranked": wanted.ranked,
        "companies": wanted.companies,
        "days": days_of(wanted.period),
        "first": wanted.period.first,
        "last": wanted.period.last,
        "begin": begin,
        "end": end,
        "zone": wanted.zone.key,
    }


def _is_user(wanted: StatisticsFilter) -> bool:
    return wanted.account.startswith("user:")


def _whose(wanted: StatisticsFilter) -> str:
    """The condition that selects the accounts' rows of a roll-up."""
    if wanted.account and wanted.companies is not None:
        return "account = %(subject)s" + OF_COMPANY
    several = len(wanted.subjects[1]) != 1
    return "account = any(%(subjects)s)" if several else "account = %(subject)s"


async def _splits(
    connection: AsyncConnection[Any],
    wanted: StatisticsFilter,
    keys: str,
    source: str,
    months: dict[str, date],
) -> dict[Any, Split]:
    within, own = "true", "true"
    if wanted.companies is not None:
        within = "company_id = any(%(companies)s)"
        own = "%(subject)s in (select account from accounts where " + within + ")"
    source = source.format(whose=_whose(wanted), within=within, own=own)
    cursor = await connection.execute(
        f"select {keys}, class, currency, {SUMS} from {source} group by 1, 2, class, currency"
        f" {CHARGED}",
        _values(wanted) | months,
    )
    found: dict[Any, Split] = {}
    for first, second, call_class, currency, *sums in await cursor.fetchall():
        found.setdefault((first, second), Split()).add(call_class, currency, sums)
    return found


async def by_period(
    connection: AsyncConnection[Any], wanted: StatisticsFilter, grain: Grain
) -> dict[tuple[date, int], Split]:
    """Return the figures of each hour, day, week or month with calls, by day and hour."""
    if grain == "hour":
        source = CALLS_OF_USER if _is_user(wanted) else HOURS
    else:
        source = DAYS_OF_USER if _is_user(wanted) else DAYS
    return await _splits(connection, wanted, BUCKETS[grain], source, {})


async def by_weekday(
    connection: AsyncConnection[Any], wanted: StatisticsFilter
) -> dict[tuple[int, int], Split]:
    """Return the figures of each hour of each weekday (1 = Monday)."""
    source = CALLS_OF_USER if _is_user(wanted) else WEEK
    months = await _whole_months(connection, wanted.period)
    return await _splits(connection, wanted, "weekday, hour", source, months)


async def by_area(connection: AsyncConnection[Any], wanted: StatisticsFilter) -> dict[str, Split]:
    """Return the figures of each area; "" holds calls without an area."""
    source = CALLS_OF_USER if _is_user(wanted) else AREAS
    months = await _whole_months(connection, wanted.period)
    found = await _splits(connection, wanted, "area, 0", source, months)
    return {area: split for (area, _), split in found.items()}


async def by_account(
    connection: AsyncConnection[Any],
    wanted: StatisticsFilter,
    measure: str,
    currency: str,
    top: int = TOP,
) -> Ranking:
    """Return the `top` accounts by a measure, in one currency."""
    values = _values(wanted) | await _whole_months(connection, wanted.period)
    values["currency"] = currency
    if wanted.ranked == "user":
        source = RANKED_USERS.format(company="" if wanted.companies is None else USERS_OF_COMPANY)
    else:
        source = RANKED.format(company="" if wanted.companies is None else OF_COMPANY)
    statement = RANK.format(
        charged=CHARGED, sums=SUMS, source=source, order=ORDER[measure], top=top
    )
    cursor = await connection.execute(statement, values)
    found: dict[str, Ranked] = {}
    rows = await cursor.fetchall()
    for account, name, company, _, call_class, of_currency, *sums in rows:
        row = found.setdefault(account, Ranked(account, name, company, Split()))
        row.split.add(call_class, of_currency, sums)
    return Ranking(rows=list(found.values()), accounts=rows[0][3] if rows else 0)


async def _whole_months(connection: AsyncConnection[Any], period: Period) -> dict[str, date]:
    """The first full month, and the day after the last one, of a period; see WHOLE."""
    row = await (await connection.execute(usage_months.SETTLED)).fetchone()
    after = period.last + timedelta(days=1)
    through = min(row[0] if row and row[0] else period.first, after).replace(day=1)
    month = (period.first - timedelta(days=1)).replace(day=28) + timedelta(days=4)
    month = month.replace(day=1)  # the first that begins in the period
    return {"month": month, "through": max(month, through)}

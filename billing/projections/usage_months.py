"""Usage by month: a finished month is summed once; later calls of it are added to the sums.

Statistics of half a year read 6 rows instead of 180, and ingestion costs no more
(docs/decisions/0050).
"""

from datetime import date, timedelta
from typing import Any

from psycopg import Cursor

from billing.projections.sums import Sums, add

SETTLED = "select max(through) from usage_settled"
REMEMBER_SETTLED = "insert into usage_settled values (%s)"
STRAGGLING = timedelta(days=2)  # wait this long after the end of a month before it is summed
BEGINNING = date(1, 1, 1)
RANKED = ("company", "gateway")  # kinds with rankings by account; users are ranked from daily_usage

MONTH = "date_trunc('month', day)::date"
SUMS = "sum(calls), sum(talk_ms), sum(billed_seconds), sum(amount_micros)"
ANSWERED = "coalesce(sum(calls) filter (where result = 'answered'), 0)"
PERIOD = "day >= %(begin)s and day < %(end)s"
SETTLE = (
    f"""
insert into usage_months
select {MONTH}, company_id, user_account_id, class, currency, {SUMS}, {ANSWERED}
from daily_usage where {PERIOD} and user_account_id <> '' group by 1, 2, 3, 4, 5""",
    f"""
insert into usage_account_months
select kind, {MONTH}, account, class, currency, {SUMS}, {ANSWERED}
from usage_days where kind = any(%(ranked)s) and {PERIOD} group by 1, 2, 3, 4, 5""",
    f"""
insert into usage_hour_months
select account, {MONTH}, extract(isodow from day), hour, class, currency, {SUMS}, sum(answered)
from usage_hours where {PERIOD} group by 1, 2, 3, 4, 5, 6""",
    f"""
insert into usage_area_months
select account, {MONTH}, area, currency, {SUMS}, sum(answered)
from usage_areas where {PERIOD} group by 1, 2, 3, 4""",
)


def settled_through(cursor: Cursor[Any]) -> date:
    """Return the first day that is not in a summed month."""
    ((through,),) = cursor.execute(SETTLED).fetchall()
    return through or BEGINNING


def settle_before(cursor: Cursor[Any], newest: date, through: date) -> None:
    """Sum the finished months since `through`; `newest` is the latest day with calls."""
    over = (newest - STRAGGLING).replace(day=1)
    if over > through:
        values = {"begin": through, "end": over, "ranked": list(RANKED)}
        for statement in SETTLE:
            cursor.execute(statement, values)
        cursor.execute(REMEMBER_SETTLED, (over,))


def late_months(tables: dict[str, Sums], through: date) -> dict[str, Sums]:
    """Return what the months before `through` gain from the sums of days, by table."""
    if all(day >= through for day, *_ in tables["daily_usage"]):
        return {}
    users: Sums = {}
    accounts: Sums = {}
    hours: Sums = {}
    areas: Sums = {}
    for (day, company, user, call_class, result, currency), sums in tables["daily_usage"].items():
        if user and day < through:
            key = (day.replace(day=1), company, user, call_class, currency)
            add(users, key, sums, sums[0] if result == "answered" else 0)
    for (kind, day, account, call_class, result, currency), sums in tables["usage_days"].items():
        if kind in RANKED and day < through:
            key = (kind, day.replace(day=1), account, call_class, currency)
            add(accounts, key, sums, sums[0] if result == "answered" else 0)
    for (account, day, hour, call_class, currency), sums in tables["usage_hours"].items():
        if day < through:
            place = (account, day.replace(day=1), day.isoweekday(), hour)
            add(hours, (*place, call_class, currency), sums, sums[4])
    for (account, day, area, currency), sums in tables["usage_areas"].items():
        if day < through:
            add(areas, (account, day.replace(day=1), area, currency), sums, sums[4])
    return {
        "usage_months": users,
        "usage_account_months": accounts,
        "usage_hour_months": hours,
        "usage_area_months": areas,
    }

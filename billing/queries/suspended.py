"""The page of suspended calls: how many wait, for which reason, and their estimated value."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.log.positions import shown_sql
from billing.queries.reach import Reach
from billing.values import Money

USUAL_DAYS = 90  # past days whose prices estimate the value of suspended calls
MOST_DEVICES = 100


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """The suspended calls of one reason, of one reason at one device, or of one month."""

    reason: str = ""
    month: str = ""
    device_id: str = ""
    device: str = ""
    devices: int = 0
    calls: int
    talk_ms: int
    oldest: datetime
    newest: datetime


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Which suspended calls; an empty field admits all."""

    reason: str = ""
    device_id: str = ""
    month: str = ""  # "2026-08", in UTC like the months that are archived


class Selected(msgspec.Struct, frozen=True, kw_only=True):
    """How many suspended calls were chosen, as of a position of the log."""

    calls: int
    talk_ms: int
    position: int


class Stake(msgspec.Struct, frozen=True, kw_only=True):
    """The estimated charge for the calls of a reason, at the usual prices of their company."""

    calls: int  # the calls that have an estimate
    amounts: tuple[Money, ...]


ALL = Chosen()
MONTH = "to_char(started_at at time zone 'UTC', 'YYYY-MM')"
CHOSEN = f"""(%(reason)s = '' or reason = %(reason)s)
 and (%(device_id)s = '' or device_id = %(device_id)s)
 and (%(month)s = '' or {MONTH} = %(month)s)"""
SELECTED = f"""
select count(*) as calls, coalesce(sum(talk_ms), 0)::bigint as talk_ms,
 {shown_sql("calls")} as position
from call_list where status = 'suspended' and {CHOSEN}"""
BY_MONTH = f"""
select {MONTH} as month, count(*) as calls, sum(talk_ms)::bigint as talk_ms,
 min(started_at) as oldest, max(started_at) as newest
from call_list where status = 'suspended' and {{within}}
group by 1 order by 1"""
BY_REASON = """
select reason, count(distinct device_id)::int as devices, count(*) as calls,
 sum(talk_ms)::bigint as talk_ms, min(started_at) as oldest, max(started_at) as newest
from call_list where status = 'suspended' and {within}
group by reason order by count(*) desc, reason"""
BY_DEVICE = """
select c.reason, c.device_id, coalesce(d.name, c.device_id) as device, count(*) as calls,
 sum(c.talk_ms)::bigint as talk_ms, min(c.started_at) as oldest, max(c.started_at) as newest
from call_list c left join devices d on d.device_id = c.device_id
where c.status = 'suspended' and {within} group by c.reason, c.device_id, d.name
order by count(*) desc, device, c.reason limit %(most)s"""
STAKES = f"""
with waiting as (
  select reason, company_id, class, count(*) as calls, sum(talk_ms) as talk_ms from call_list
  where status = 'suspended' and direction in ('outbound', '') and talk_ms > 0
   and {{within}} and {CHOSEN}
  group by reason, company_id, class
), usual as (
  select company_id, class, currency, sum(amount_micros) / sum(talk_ms) as micros_a_ms
  from daily_usage where day > current_date - %(days)s and talk_ms > 0 and {{within}}
  group by company_id, class, currency
)
select w.reason, u.currency, sum(w.calls)::bigint, sum(w.talk_ms * u.micros_a_ms)::bigint
from waiting w join usual u using (company_id, class) group by w.reason, u.currency
order by w.reason, u.currency"""

GROUPS = """
select group_id, name, currency from rate_groups where not deleted
order by lower(name), group_id limit %s"""
MOST_GROUPS = 500


async def waiting_by_reason(connection: AsyncConnection[Any], reach: Reach) -> list[Waiting]:
    """Return the suspended calls of each reason, most frequent first.

    A limited reader does not see calls without a company.
    """
    statement = BY_REASON.format(within=reach.condition("company_id"))
    async with connection.cursor(row_factory=class_row(Waiting)) as cursor:
        await cursor.execute(statement, {"companies": reach.within("")})
        return await cursor.fetchall()


async def waiting_by_device(
    connection: AsyncConnection[Any], reach: Reach, most: int | None = MOST_DEVICES
) -> list[Waiting]:
    """Return the suspended calls of each device and reason, most first; `most` None: all rows."""
    statement = BY_DEVICE.format(within=reach.condition("c.company_id"))
    values = {"most": most, "companies": reach.within("")}
    async with connection.cursor(row_factory=class_row(Waiting)) as cursor:
        await cursor.execute(statement, values)
        return await cursor.fetchall()


async def waiting_by_month(connection: AsyncConnection[Any], reach: Reach) -> list[Waiting]:
    """Return the suspended calls of each month, oldest first."""
    statement = BY_MONTH.format(within=reach.condition("company_id"))
    async with connection.cursor(row_factory=class_row(Waiting)) as cursor:
        await cursor.execute(statement, {"companies": reach.within("")})
        return await cursor.fetchall()


async def select(connection: AsyncConnection[Any], chosen: Chosen) -> Selected:
    """Return how many suspended calls were chosen, and the log position that this is true of."""
    async with connection.cursor(row_factory=class_row(Selected)) as cursor:
        await cursor.execute(SELECTED, msgspec.structs.asdict(chosen))
        (found,) = await cursor.fetchall()
        return found


async def stakes(
    connection: AsyncConnection[Any], reach: Reach, chosen: Chosen = ALL
) -> dict[str, Stake]:
    """Return the estimated value for each reason, as far as there are usual prices."""
    statement = STAKES.format(within=reach.condition("company_id"))
    values = {"days": USUAL_DAYS, "companies": reach.within("")} | msgspec.structs.asdict(chosen)
    cursor = await connection.execute(statement, values)
    found: dict[str, Stake] = {}
    for reason, currency, calls, micros in await cursor.fetchall():
        before = found.get(reason, Stake(calls=0, amounts=()))
        found[reason] = Stake(
            calls=before.calls + calls, amounts=(*before.amounts, Money(micros, currency))
        )
    return found


async def all_groups(connection: AsyncConnection[Any]) -> list[tuple[str, str, str]]:
    """Return the rate groups to choose from: id, name, currency."""
    cursor = await connection.execute(GROUPS, (MOST_GROUPS,))
    return await cursor.fetchall()

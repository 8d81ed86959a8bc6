"""The page of suspended calls: how many wait, for which reason, and their estimated value."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.queries.reach import Reach
from billing.values import Money

USUAL_DAYS = 90  # past days whose prices estimate the value of suspended calls
MOST_DEVICES = 100


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """The suspended calls of one reason, or of one reason at one device."""

    reason: str
    device_id: str = ""
    device: str = ""
    devices: int = 0
    calls: int
    talk_ms: int
    oldest: datetime
    newest: datetime


class Stake(msgspec.Struct, frozen=True, kw_only=True):
    """The estimated charge for the calls of a reason, at the usual prices of their company."""

    calls: int  # the calls that have an estimate
    amounts: tuple[Money, ...]


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
STAKES = """
with waiting as (
  select reason, company_id, class, count(*) as calls, sum(talk_ms) as talk_ms from call_list
  where status = 'suspended' and direction in ('outbound', '') and talk_ms > 0
   and {within}
  group by reason, company_id, class
), usual as (
  select company_id, class, currency, sum(amount_micros) / sum(talk_ms) as micros_a_ms
  from daily_usage where day > current_date - %(days)s and talk_ms > 0 and {within}
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


async def stakes(connection: AsyncConnection[Any], reach: Reach) -> dict[str, Stake]:
    """Return the estimated value for each reason, as far as there are usual prices."""
    statement = STAKES.format(within=reach.condition("company_id"))
    values = {"days": USUAL_DAYS, "companies": reach.within("")}
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

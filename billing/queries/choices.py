"""What forms offer to choose from."""

from typing import Any

from psycopg import AsyncConnection

from billing.queries.reach import Reach

MOST = 1_000

RATE_GROUPS = f"""
select group_id, name from rate_groups where currency = %(currency)s and not deleted and (
  %(companies)s::text[] is null or group_id in (
    select group_id from rate_group_bindings where company_id = any(%(companies)s)))
order by lower(name) limit {MOST}"""
DEVICES = f"""
select device_id, name from devices where company_id = %s order by lower(name) limit {MOST}"""


async def rate_groups_in(
    connection: AsyncConnection[Any], reach: Reach, currency: str
) -> list[tuple[str, str]]:
    """The rate groups of a currency, by name; of a limited reach those it was ever bound to."""
    values = {"currency": currency, "companies": reach.within("")}
    cursor = await connection.execute(RATE_GROUPS, values)
    return await cursor.fetchall()


async def devices_of(connection: AsyncConnection[Any], company_id: str) -> list[tuple[str, str]]:
    """The devices of a company, by name. A hosted device stands with the company that runs it."""
    cursor = await connection.execute(DEVICES, (company_id,))
    return await cursor.fetchall()

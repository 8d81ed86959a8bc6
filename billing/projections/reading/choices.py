"""What forms offer to choose from."""

from typing import Any

from psycopg import AsyncConnection

MOST = 1_000

RATE_GROUPS = f"""
select group_id, name from rate_groups where currency = %s and not deleted
order by lower(name) limit {MOST}"""
DEVICES = f"""
select device_id, name from devices where company_id = %s order by lower(name) limit {MOST}"""


async def rate_groups_in(connection: AsyncConnection[Any], currency: str) -> list[tuple[str, str]]:
    """The rate groups of a currency, by name."""
    cursor = await connection.execute(RATE_GROUPS, (currency,))
    return await cursor.fetchall()


async def devices_of(connection: AsyncConnection[Any], company_id: str) -> list[tuple[str, str]]:
    """The devices of a company, by name. A hosted device stands with the company that runs it."""
    cursor = await connection.execute(DEVICES, (company_id,))
    return await cursor.fetchall()

"""The filters of the call list that administrators saved under a name."""

from typing import Any

from psycopg import AsyncConnection

VIEWS = "select name, query from saved_views where administrator_id = %s order by lower(name), name"


async def views_of(
    connection: AsyncConnection[Any], administrator_id: str
) -> list[tuple[str, str]]:
    """Return the names and query strings of an administrator's saved views, by name."""
    cursor = await connection.execute(VIEWS, (administrator_id,))
    return await cursor.fetchall()

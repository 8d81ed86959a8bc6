"""Filters of the call list that each administrator keeps under a name."""

from typing import Any

from psycopg import AsyncConnection

VIEWS = "select name, query from saved_views where administrator_id = %s order by lower(name), name"


async def views_of(
    connection: AsyncConnection[Any], administrator_id: str
) -> list[tuple[str, str]]:
    """The names and queries of the views of somebody, by name."""
    cursor = await connection.execute(VIEWS, (administrator_id,))
    return await cursor.fetchall()

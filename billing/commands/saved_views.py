"""Named filters of the call list, saved by each administrator: a row without events."""

from typing import Any

from psycopg import AsyncConnection

MOST = 50  # of one administrator
SAVE = """
insert into saved_views (administrator_id, name, query)
select %(administrator)s, %(name)s, %(query)s
where (select count(*) from saved_views where administrator_id = %(administrator)s) < %(most)s
on conflict (administrator_id, name) do update set query = excluded.query"""
REMOVE = "delete from saved_views where administrator_id = %s and name = %s"


async def save_view(
    connection: AsyncConnection[Any], administrator_id: str, name: str, query: str
) -> None:
    """Save a query under a name, replacing an older one; nothing is saved if there are too many."""
    values = {"administrator": administrator_id, "name": name, "query": query, "most": MOST}
    await connection.execute(SAVE, values)


async def remove_view(connection: AsyncConnection[Any], administrator_id: str, name: str) -> None:
    """Remove a view."""
    await connection.execute(REMOVE, (administrator_id, name))

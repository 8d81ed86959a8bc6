"""Filters of the call list that each administrator keeps under a name: no event, just a row."""

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
    """Keep a query under a name, instead of the one that has it; of too many nothing is kept."""
    values = {"administrator": administrator_id, "name": name, "query": query, "most": MOST}
    await connection.execute(SAVE, values)


async def remove_view(connection: AsyncConnection[Any], administrator_id: str, name: str) -> None:
    """Remove a view."""
    await connection.execute(REMOVE, (administrator_id, name))

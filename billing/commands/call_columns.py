"""The columns of the call list that each administrator chooses: no event, just a row."""

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

CHOOSE = """
insert into call_columns (administrator_id, columns) values (%s, %s)
on conflict (administrator_id) do update set columns = excluded.columns"""
FORGET = "delete from call_columns where administrator_id = %s"


async def choose_columns(
    connection: AsyncConnection[Any], administrator_id: str, names: Sequence[str]
) -> None:
    """Remember the columns of somebody, in order."""
    await connection.execute(CHOOSE, (administrator_id, list(names)))


async def forget_columns(connection: AsyncConnection[Any], administrator_id: str) -> None:
    """Show the usual columns again."""
    await connection.execute(FORGET, (administrator_id,))

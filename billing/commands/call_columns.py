"""The columns of the call list that each administrator chooses: a row without events."""

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
    """Store the columns of an administrator, in order."""
    await connection.execute(CHOOSE, (administrator_id, list(names)))


async def forget_columns(connection: AsyncConnection[Any], administrator_id: str) -> None:
    """Restore the default columns."""
    await connection.execute(FORGET, (administrator_id,))

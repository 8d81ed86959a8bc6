"""The columns of the call list that each administrator chose."""

from typing import Any

from psycopg import AsyncConnection

CHOSEN = "select columns from call_columns where administrator_id = %s"


async def columns_of(connection: AsyncConnection[Any], administrator_id: str) -> list[str] | None:
    """Return the names of the columns that an administrator chose, in order; None: no choice."""
    row = await (await connection.execute(CHOSEN, (administrator_id,))).fetchone()
    return list(row[0]) if row else None

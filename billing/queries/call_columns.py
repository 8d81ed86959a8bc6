"""The columns of the call list that each administrator chose."""

from typing import Any

from psycopg import AsyncConnection

CHOSEN = "select columns from call_columns where administrator_id = %s"


async def columns_of(connection: AsyncConnection[Any], administrator_id: str) -> list[str] | None:
    """The names of the columns somebody chose, in order; None if nothing was chosen."""
    row = await (await connection.execute(CHOSEN, (administrator_id,))).fetchone()
    return list(row[0]) if row else None

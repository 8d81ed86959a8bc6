"""How far the read models are."""

from typing import Any

from psycopg import AsyncConnection

# A projection that is being rebuilt is far behind for minutes; nobody waits for it.
LAG = """
select count(*) filter (where position < %s) from checkpoints
where position > (select max(position) - 100000 from checkpoints) and name not like 'policy:%%'"""

POSITION = "select coalesce(min(position), 0) from checkpoints where name not like 'policy:%'"


async def has_reached(connection: AsyncConnection[Any], position: int) -> bool:
    """Whether every read model shows the log up to a position."""
    cursor = await connection.execute(LAG, (position,))
    row = await cursor.fetchone()
    return row is not None and row[0] == 0


async def position_of_all(connection: AsyncConnection[Any]) -> int:
    """How far into the log every read model goes, at least."""
    row = await (await connection.execute(POSITION)).fetchone()
    return int(row[0]) if row else 0

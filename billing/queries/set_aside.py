"""Events that read models refused; they are missing until a rebuild."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

SHOWN = 50
NEWEST = f"""
select name, position, stream, topic, error, at from set_aside
order by at desc, name, position limit {SHOWN}"""
COUNTS = "select name, count(*) from set_aside group by name order by name"


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """An event that a read model refused."""

    name: str  # of the read model
    position: int
    stream: str
    topic: str
    error: str
    at: datetime


async def newest(connection: AsyncConnection[Any]) -> list[SetAside]:
    """Return the last events that were set aside, at most SHOWN."""
    async with connection.cursor(row_factory=class_row(SetAside)) as cursor:
        await cursor.execute(NEWEST)
        return await cursor.fetchall()


async def counts(connection: AsyncConnection[Any]) -> dict[str, int]:
    """Return how many events each read model lacks; complete read models are left out."""
    return dict(await (await connection.execute(COUNTS)).fetchall())

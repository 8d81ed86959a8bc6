"""Run several queries on one snapshot of the read models."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection

BEGIN = "set transaction isolation level repeatable read, read only"


@asynccontextmanager
async def snapshot(connection: AsyncConnection[Any]) -> AsyncIterator[None]:
    """Within this context, every query sees what was committed when the first query began."""
    async with connection.transaction():
        await connection.execute(BEGIN)
        yield

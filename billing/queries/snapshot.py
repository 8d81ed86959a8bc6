"""Several queries that see the read models at one moment."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection

BEGIN = "set transaction isolation level repeatable read, read only"


@asynccontextmanager
async def snapshot(connection: AsyncConnection[Any]) -> AsyncIterator[None]:
    """All queries within see what was committed when the first of them began."""
    async with connection.transaction():
        await connection.execute(BEGIN)
        yield

"""The number of received calls: one query every few seconds for all open call lists."""

import asyncio
import contextlib
import logging
from typing import Any

from psycopg import Error
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from billing.queries.calls import arrived_within, count_arrived
from billing.queries.reach import Reach

EVERY_SECONDS = 3.0
HEARTBEAT_SECONDS = 15.0  # proxies close idle connections
logger = logging.getLogger(__name__)


class Arrivals:
    """The number of calls received for each company, polled while a call list is open."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool
        self._watchers = 0
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._counts: dict[str, int] = {}
        self.stopped = False

    @contextlib.asynccontextmanager
    async def watching(self) -> Any:
        """Poll within this context. Not a task of Sanic, which cancels those too early."""
        self._watchers += 1
        if self._task is None:
            await self._poll()
            self._task = asyncio.create_task(self._run())
        try:
            yield self
        finally:
            self._watchers -= 1

    def count(self, reach: Reach) -> int:
        """Return how many calls were received within a reach."""
        return arrived_within(reach, self._counts)

    async def wait(self) -> None:
        """Wait until the count changes, the service stops, or a heartbeat is due."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), HEARTBEAT_SECONDS)

    def stop(self) -> None:
        """Wake all waiting streams for the last time."""
        self.stopped = True
        self._changed.set()

    async def close(self) -> None:
        """End the task."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while not self.stopped:
            await asyncio.sleep(EVERY_SECONDS)
            if self._watchers:
                await self._poll()

    async def _poll(self) -> None:
        try:
            async with self._pool.connection() as connection:
                counts = await count_arrived(connection)
        except (Error, PoolTimeout):
            logger.warning("Could not count the calls that came in.", exc_info=True)
            return
        if counts != self._counts:
            self._counts = counts
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()
            if self.stopped:
                self._changed.set()

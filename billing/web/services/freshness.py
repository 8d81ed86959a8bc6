"""What every page warns of: figures that are old, lack events or don't add up, a doubted clock."""

import asyncio
import time
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from billing.log.positions import lags
from billing.queries import ledger, set_aside
from billing.queries.clock import clock_state

MAX_AGE_SECONDS = 1.0
PATIENCE_SECONDS = 0.5  # a slow database must not delay pages longer than this
MOST_BEHIND = 5_000  # events: one batch of the read models
LATE_SECONDS = 5.0  # older figures get the warning


class Freshness:
    """The state of the figures, one for each process of pages; every page shows it."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool
        self._asked_at = 0.0
        self._late_since: float | None = None
        self.behind = 0  # events; 0 while the figures are practically current
        self.set_aside = 0  # events that some read model lacks
        self.differing = 0  # wallets that did not add up at the last ledger check
        self.clock_waits = False  # what can't be taken back waits because the clock is doubted

    async def refresh(self) -> None:
        """Query the state again if it is old. After an error the last state stays."""
        now = time.monotonic()
        if now - self._asked_at < MAX_AGE_SECONDS:
            return
        self._asked_at = now
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self._pool.connection() as connection:
                lag = max((await lags(connection)).values(), default=0)
                counts = await set_aside.counts(connection)
                differing = await ledger.count_differing(connection)
                clock = await clock_state(connection)
        except (TimeoutError, PoolTimeout, psycopg.Error):
            return
        self.set_aside = sum(counts.values())
        self.differing = differing
        self.clock_waits = clock.is_waiting
        self._late_since = (self._late_since or now) if lag else None
        is_late = self._late_since is not None and now - self._late_since > LATE_SECONDS
        self.behind = lag if is_late or lag > MOST_BEHIND else 0

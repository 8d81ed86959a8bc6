"""The latest findings of the keeping job about the clock, for pages, metrics and policies."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.aggregates.event import Envelope

DAY = 86_400  # seconds of uptime after which a doubted clock is used again
STATE = """
select doubt, doubted_at, at as beat_at, ran_seconds, confirmations, confirmed_by, confirmed_at
from beats"""

# Jumped: it was set while a process ran. Behind: it shows an earlier time than the last beat.
# Away: nothing ran for a week.
Doubt = Literal["", "jumped", "behind", "away"]


class ClockState(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the clock is in doubt, why, and since when."""

    doubt: Doubt = ""
    doubted_at: datetime | None = None
    beat_at: datetime | None = None  # last beat with a clock that agreed; None: none yet
    ran_seconds: int = 0  # uptime since the clock is in doubt
    confirmations: int = 0
    confirmed_by: str = ""  # an actor
    confirmed_at: datetime | None = None

    @property
    def is_doubted(self) -> bool:
        """Whether events recorded now are flagged."""
        return bool(self.doubt)

    @property
    def is_waiting(self) -> bool:
        """Whether irreversible actions wait."""
        return self.is_doubted and self.ran_seconds < DAY

    def mark(self, envelope: Envelope) -> Envelope:
        """Return the envelope with the flag that belongs on an event recorded now."""
        return msgspec.structs.replace(envelope, clock_doubted=self.is_doubted)


AGREES = ClockState()


async def clock_state(connection: AsyncConnection[Any]) -> ClockState:
    """Return the current state of the clock."""
    async with connection.cursor(row_factory=class_row(ClockState)) as cursor:
        await cursor.execute(STATE)
        return await cursor.fetchone() or AGREES

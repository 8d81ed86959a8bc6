"""What the keeping job last found of the clock: for pages, metrics, and whoever acts on it."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.aggregates.event import Envelope

DAY = 86_400  # seconds of running after which a doubted clock is worked with
STATE = """
select doubt, doubted_at, at as beat_at, ran_seconds, confirmations, confirmed_by, confirmed_at
from beats"""

# It was set while a process ran; it is before what was written down; nothing was for a week.
Doubt = Literal["", "jumped", "behind", "away"]


class ClockState(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the clock."""

    doubt: Doubt = ""
    doubted_at: datetime | None = None
    beat_at: datetime | None = None  # the last of a clock that agreed; None: there was none yet
    ran_seconds: int = 0  # since it is doubted
    confirmations: int = 0
    confirmed_by: str = ""  # an actor
    confirmed_at: datetime | None = None

    @property
    def is_doubted(self) -> bool:
        """Whether what is recorded now carries the flag."""
        return bool(self.doubt)

    @property
    def is_waiting(self) -> bool:
        """Whether what can't be taken back waits."""
        return self.is_doubted and self.ran_seconds < DAY

    def mark(self, envelope: Envelope) -> Envelope:
        """The envelope of what is recorded now."""
        return msgspec.structs.replace(envelope, clock_doubted=self.is_doubted)


AGREES = ClockState()


async def clock_state(connection: AsyncConnection[Any]) -> ClockState:
    """What is known of the clock now."""
    async with connection.cursor(row_factory=class_row(ClockState)) as cursor:
        await cursor.execute(STATE)
        return await cursor.fetchone() or AGREES

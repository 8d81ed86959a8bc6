"""Keeps the policies running: what one can't act on rests, everything else continues.

A batch that fails is halved until the account or call is alone that makes it fail. That one is
noted (log/set_aside.py), so the pages say it, and tried again after growing pauses: when its cause
is gone, the note goes too. A policy that fails as a whole rests the same way; the others run.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from psycopg import Connection

from billing.log.set_aside import Place, describe, forget, is_transient, note, place_of
from billing.log.store import Store

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 300.0
WHOLE = "policy"  # stands for the stream when a policy fails as a whole

T = TypeVar("T")
logger = logging.getLogger("billing.policies")


class Pause(msgspec.Struct, frozen=True):
    """Until when a stream rests, on the monotonic clock, and for how long."""

    until: float
    seconds: float


class Isolation:
    """What one policy can't act on. It begins empty: a new program tries everything again."""

    def __init__(self, connection: Connection[Any], store: Store, name: str) -> None:
        self._connection, self._store = connection, store
        self._name = f"policy:{name}"
        self._pauses: dict[str, Pause] = {}
        forget(connection, self._name)

    @property
    def resting(self) -> list[str]:
        """The streams that rest now."""
        now = time.monotonic()
        return [stream for stream, pause in self._pauses.items() if pause.until > now]

    def act(
        self, items: Sequence[T], stream_of: Callable[[T], str], do: Callable[[Sequence[T]], int]
    ) -> int:
        """Act on all items at once, or on all but those that fail; return the last position, or 0.

        `stream_of` says about which stream an item is. Raises what is no item's fault.
        """
        try:
            position = do(items)
        except Exception as error:
            if is_transient(error):
                raise
            if len(items) > 1:
                middle = len(items) // 2
                return max(
                    self.act(items[:middle], stream_of, do), self.act(items[middle:], stream_of, do)
                )
            for item in items:
                self._set_aside(stream_of(item), error)
            return 0
        for item in items:
            self._recover(stream_of(item))
        return position

    def run(self, policy: Callable[[], int]) -> int:
        """Run a policy unless it rests; return the last position, or 0.

        Raises what is transient.
        """
        if WHOLE in self.resting:
            return 0
        try:
            position = policy()
        except Exception as error:
            if is_transient(error):
                raise
            self._set_aside(WHOLE, error)
            return 0
        self._recover(WHOLE)
        return position

    def _set_aside(self, stream: str, error: Exception) -> None:
        known = self._pauses.get(stream)
        seconds = min(known.seconds * 2, LONGEST_PAUSE_SECONDS) if known else FIRST_PAUSE_SECONDS
        self._pauses[stream] = Pause(time.monotonic() + seconds, seconds)
        if known:  # a conflict with another writer is over the second time
            logger.error("%s sets %s aside: %s", self._name, stream, describe(error))
            note(self._connection, self._name, self._last_of(stream), error)

    def _last_of(self, stream: str) -> Place:
        """The place of a stream's last event, after which the policy failed."""
        events = self._store.load(stream)
        return place_of(events[-1]) if events else (0, stream, "")

    def _recover(self, stream: str) -> None:
        if self._pauses.pop(stream, None):
            forget(self._connection, self._name, stream)

"""Keeps a read model going that refuses an event: the batch is halved until that event is alone.

It is set aside with its error, the others of the batch are applied. Sums that lack it say so
(queries/set_aside.py), and a rebuild of the read model reads it again in its place.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg import Connection, Cursor

from billing.log import positions
from billing.log.store import Recorded
from billing.values import Refused

Apply = Callable[[Cursor[Any], Sequence[Recorded]], None]
# The database or this process is at fault, not an event: the whole is tried again.
TRANSIENT = (psycopg.OperationalError, psycopg.InterfaceError, MemoryError, Refused)
MOST_SET_ASIDE = 100  # of one batch; where more are refused, the read model itself is broken
LONGEST_ERROR = 2_000
SET_ASIDE = """
insert into set_aside (name, position, stream, topic, error, at)
values (%s, %s, %s, %s, %s, now()) on conflict do nothing"""
FORGET = "delete from set_aside where name = %s"

logger = logging.getLogger("billing.projections")


class Broken(Exception):  # noqa: N818 -- a state of the read model, acted on by the runner
    """A read model refuses nearly every event: it is held back, its events are not set aside."""


class Isolation:
    """Applies one batch to one read model, without the events that it refuses."""

    def __init__(self, connection: Connection[Any], name: str, apply: Apply) -> None:
        self._connection = connection
        self._name = name
        self._apply = apply
        self._refused = 0

    def advance(self, position: int, events: Sequence[Recorded], until: int) -> None:
        """Bring the read model from `position` to `until`, which may lie behind the last event.

        Raises Broken where it refuses more than MOST_SET_ASIDE events.
        """
        try:
            self._advance_at_once(position, events, until)
        except TRANSIENT:
            raise
        except Exception as error:
            if len(events) > 1:
                middle = len(events) // 2
                between = events[middle - 1].position
                self.advance(position, events[:middle], between)
                self.advance(between, events[middle:], until)
            elif not events:
                raise
            else:
                self._set_aside(position, events[0], until, error)

    def _advance_at_once(self, position: int, events: Sequence[Recorded], until: int) -> None:
        with self._connection.transaction(), self._connection.cursor() as cursor:
            if positions.hold(cursor, self._name) == position:
                self._apply(cursor, events)
                positions.advance(cursor, [self._name], until)

    def _set_aside(self, position: int, event: Recorded, until: int, error: Exception) -> None:
        self._refused += 1
        if self._refused > MOST_SET_ASIDE:
            raise Broken(self._name) from error
        said = f"{type(error).__name__}: {error}".replace("\x00", "")[:LONGEST_ERROR]
        logger.error("%s sets event %s aside: %s", self._name, event.position, said)
        values = (self._name, event.position, event.stream, event.topic, said)
        with self._connection.transaction(), self._connection.cursor() as cursor:
            if positions.hold(cursor, self._name) == position:
                cursor.execute(SET_ASIDE, values)
                positions.advance(cursor, [self._name], until)


def forget(cursor: Cursor[Any], name: str) -> None:
    """Forget what a read model refused: it is rebuilt and reads all events again."""
    cursor.execute(FORGET, (name,))

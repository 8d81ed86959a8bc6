"""Keeps a read model going that refuses an event: the batch is halved until that event is alone.

It is set aside with its error, the others of the batch are applied. Sums that lack it say so
(queries/set_aside.py), and a rebuild of the read model reads it again in its place.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from psycopg import Connection, Cursor

from billing.aggregates.event import Unreadable
from billing.log import positions
from billing.log.set_aside import describe, is_transient, note, place_of
from billing.log.store import Recorded

Apply = Callable[[Cursor[Any], Sequence[Recorded]], None]
MOST_SET_ASIDE = 100  # of one batch; where more are refused, the read model itself is broken

logger = logging.getLogger("billing.projections")


class Broken(Exception):  # noqa: N818 -- a state of the read model, acted on by the runner
    """A read model refuses nearly every event: it is held back, its events are not set aside."""


def apply_readable(apply: Apply, cursor: Cursor[Any], events: Sequence[Recorded]) -> None:
    """Apply events to a read model. ValueError if one of them can't be decoded."""
    for recorded in events:
        if type(recorded.event) is Unreadable:
            raise ValueError(recorded.event.error)
    apply(cursor, events)


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
        except Exception as error:
            if is_transient(error):
                raise
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
                apply_readable(self._apply, cursor, events)
                positions.advance(cursor, [self._name], until)

    def _set_aside(self, position: int, event: Recorded, until: int, error: Exception) -> None:
        self._refused += 1
        if self._refused > MOST_SET_ASIDE:
            raise Broken(self._name) from error
        logger.error("%s sets event %s aside: %s", self._name, event.position, describe(error))
        with self._connection.transaction(), self._connection.cursor() as cursor:
            if positions.hold(cursor, self._name) == position:
                note(cursor, self._name, place_of(event), error)
                positions.advance(cursor, [self._name], until)

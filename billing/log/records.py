"""The forms of an event on its way into the log and out of it."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from heapq import merge
from operator import attrgetter
from typing import Protocol

import msgspec

from billing.aggregates.event import Envelope, Event
from billing.log.partitions import Dates


class Conflict(Exception):  # noqa: N818 -- an outcome that leads to a new decision, not an error
    """Another writer appended to one of the streams first; nothing was stored."""


class Pending(msgspec.Struct, frozen=True):
    """An event to be appended to `stream` as `version`."""

    stream: str
    version: int
    event: Event
    envelope: Envelope


class Row(msgspec.Struct, frozen=True):
    """An event as a row; replaces the library's StoredEvent and Notification.

    Those are frozen dataclasses, which take ten times as long to create.
    """

    originator_id: str
    originator_version: int
    topic: str
    state: bytes
    id: int = 0  # the position, in a row that was read


class Encoded(msgspec.Struct, frozen=True):
    """Events to be appended, and their rows."""

    events: Sequence[Pending]
    rows: Sequence[Row]
    dates: Dates


class Recorded(msgspec.Struct, frozen=True):
    """An event read from the log."""

    stream: str
    version: int
    position: int
    topic: str
    event: Event
    envelope: Envelope


class Past(Protocol):
    """The events of archived months, read from files (keeping/archived_events.py)."""

    def check(self) -> None:
        """Refused unless all files are present and intact."""

    def after(self, position: int, limit: int) -> list[Recorded]:
        """Return up to `limit` archived events after `position`, in order."""

    def between(self, after: int, until: int) -> Iterable[Row]:
        """Yield the archived events after `after` up to `until`, in order."""

    def at(self, positions: Collection[int]) -> Iterable[Row]:
        """Yield the archived events at these positions. Slow: it reads the files that have them."""


def united(found: Iterable[Row], archived: Iterable[Row]) -> Iterator[Row]:
    """Yield both in the order of the log; what an attached month has in both comes once."""
    last = 0
    for row in merge(found, archived, key=attrgetter("id")):
        if row.id != last:
            last = row.id
            yield row

"""What goes into the log and comes out of it: pending, encoded, as rows, recorded."""

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

import msgspec

from billing.aggregates.event import Envelope, Event


class Conflict(Exception):  # noqa: N818 -- an outcome to decide again on, not a fault
    """Somebody appended to one of the streams first; nothing was stored."""


class Pending(msgspec.Struct, frozen=True):
    """An event to be appended: where, as which version, what."""

    stream: str
    version: int
    event: Event
    envelope: Envelope


class Row(msgspec.Struct, frozen=True):
    """An event as a row: both the library's StoredEvent and its Notification.

    Those are frozen dataclasses, of which each takes ten times as long to make.
    """

    originator_id: str
    originator_version: int
    topic: str
    state: bytes
    id: int = 0  # the position, of a row that was read


class Encoded(msgspec.Struct, frozen=True):
    """Events to be appended, and the rows they will be."""

    events: Sequence[Pending]
    rows: Sequence[Row]


class Recorded(msgspec.Struct, frozen=True):
    """An event as the log has it."""

    stream: str
    version: int
    position: int
    topic: str
    event: Event
    envelope: Envelope


class Past(Protocol):
    """The events of archived months, read from their files (keeping/archived_events.py)."""

    def check(self) -> None:
        """Refused unless every file is there and whole."""

    def after(self, position: int, limit: int) -> list[Recorded]:
        """Up to `limit` archived events after `position`, in order."""

    def between(self, after: int, until: int) -> Iterable[Row]:
        """The archived events of a stretch of the log, in order."""

    def at(self, positions: Collection[int]) -> Iterable[Row]:
        """The archived events at some positions. As slow as reading the files that have them."""

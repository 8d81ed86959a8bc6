"""`billing verify`: check the seals of the log, and name the first position that does not match.

Archived months are read from their files, which must be there and complete. Without the files they
can be left out: the chain around them must still match. Where numbers were shortened, sealed events
lead from the original digests to the present ones (keeping/shortened_ranges.py).
"""

import heapq
from collections.abc import Callable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from billing.aggregates.keeping import MonthArchived
from billing.keeping.archive_format import EventRow, event_rows
from billing.keeping.archived_events import archived_parts, split_missing
from billing.keeping.shortened_ranges import ShortenedRanges, read_shortenings
from billing.log.sealing import GENESIS, partition_digests, partition_of, seal_of

SEALS = """
select last_position, first_position, events, previous, digests::text, seal
from seals order by last_position"""
EVENTS = """
select notification_id, originator_id, originator_version, topic, state
from billing_events order by notification_id"""
CHUNK = 5_000


class Verdict(msgspec.Struct, frozen=True):
    events: int
    seals: int
    fault: str  # "" if everything matches
    missing: tuple[str, ...] = ()  # archives that are missing or incomplete, with the reason
    left_out: tuple[MonthArchived, ...] = ()  # archives that were left out on request

    @property
    def fits(self) -> bool:
        """Whether everything to be checked is there and matches."""
        return not self.fault and not self.missing


def verify(
    url: str,
    progress: Callable[[int], None] = lambda _: None,
    folder: Path | None = None,
    *,
    without_archives: bool = False,
) -> Verdict:
    """Recompute every digest and seal from the events in the database and in `folder`.

    `progress` gets the number of events checked so far.
    """
    with psycopg.connect(url) as seals, psycopg.connect(url) as events:
        _take_one_snapshot(events, seals)
        parts = archived_parts(events)
        wanted = [] if without_archives else parts
        whole, missing = split_missing(wanted, folder or Path())
        files = [event_rows((folder or Path()) / part.file) for part in whole]
        with seals.cursor("seals", binary=True) as s, events.cursor("events", binary=True) as e:
            s.itersize = e.itersize = CHUNK
            rows = heapq.merge(iter(e.execute(EVENTS)), *files, key=itemgetter(0))
            walk = _Walk(parts, ShortenedRanges(read_shortenings(events)))
            walk.over(s.execute(SEALS), _once(rows), progress)
            left_out = tuple(parts) if without_archives else ()
            return Verdict(walk.events, walk.seals, walk.fault, missing, left_out)


def _take_one_snapshot(events: psycopg.Connection, seals: psycopg.Connection) -> None:
    """Let two connections see the same log, and keep its months from being dropped."""
    for connection in (events, seals):
        connection.execute("set transaction isolation level repeatable read")
    events.execute("lock table billing_events in access share mode")  # before the snapshot
    ((snapshot,),) = events.execute("select pg_export_snapshot()").fetchall()
    seals.execute(f"set transaction snapshot '{snapshot}'".encode())


def _once(rows: Iterator[EventRow]) -> Iterator[EventRow]:
    """Yield each event once; an attached month is in the log and in its file."""
    last = None
    for row in rows:
        if row[0] != last:
            yield row
        last = row[0]


class _Walk:
    """The position of the check, and its findings."""

    def __init__(self, parts: list[MonthArchived], ranges: ShortenedRanges) -> None:
        self.events = self.seals = 0
        self.fault = ""
        self._parts = parts
        self._ranges = ranges

    def over(self, seals: Any, events: Iterator[EventRow], progress: Callable[[int], None]) -> None:
        """Check the seals in order, up to the first that does not match."""
        previous = GENESIS
        event = next(events, None)
        for last, first, sealed, before, digests, seal in seals:
            if before != previous:
                self.fault = f"a seal is missing before position {first}"
                return
            rows = []
            while event and event[0] <= last:
                rows.append(event)
                event = next(events, None)
            told = msgspec.json.decode(digests, type=dict[str, str])
            self.fault = self._compare(rows, first, last, sealed, told)
            if not self.fault and seal_of(before, first, last, sealed, told) != seal:
                self.fault = f"the seal of positions {first} to {last} was altered"
            if self.fault:
                return
            previous = seal
            self.events += len(rows)
            self.seals += 1
            progress(self.events)
        if event:
            self.fault = f"{event[1]} at position {event[0]} is under no seal"

    def _compare(
        self, rows: list[EventRow], first: int, last: int, sealed: int, digests: dict[str, str]
    ) -> str:
        if rows and rows[0][0] < first:
            return f"{rows[0][1]} at position {rows[0][0]} is under no seal"
        found = partition_digests(rows)
        absent = {month for month in digests if month not in found}
        gone = {month for month in absent if self._is_archived(month, first, last)}
        if len(rows) != sealed and not gone:
            there = f"{len(rows)} are there"
            return f"{sealed} events were sealed at positions {first} to {last}, {there}"
        for partition, digest in sorted(digests.items()):
            here = None if partition in gone else found.get(partition, "")
            fault = self._ranges.fault(partition, first, last, digest, here)
            if fault:
                return fault
        if stray := set(found) - set(digests):
            row = next(row for row in rows if partition_of(row[1]) in stray)
            return f"{row[1]} at position {row[0]} is under no seal"
        return ""

    def _is_archived(self, month: str, first: int, last: int) -> bool:
        """Return whether the events of a month in a range of positions are archived."""
        return any(
            part.month == month and part.first_position <= last and part.last_position >= first
            for part in self._parts
        )

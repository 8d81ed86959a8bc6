"""Archived events: the files that the log names, and their events by position."""

import heapq
from collections import deque
from collections.abc import Collection, Iterator
from itertools import islice
from operator import itemgetter
from pathlib import Path

import msgspec
import psycopg

from billing.aggregates.keeping import MonthArchived
from billing.commands.keeping import load_keeping
from billing.keeping.archive_format import EventRow, check, event_rows
from billing.log.store import Recorded, Row, Store
from billing.values import Refused

ARCHIVED = """
select state from billing_events_default where topic = 'MonthArchived.1' order by notification_id"""
FAR = 10_000  # positions: for a longer jump a file is opened again at a nearer member


class _StoredArchival(msgspec.Struct, frozen=True):
    event: MonthArchived


_decoder = msgspec.json.Decoder(_StoredArchival)


def archived_parts(connection: psycopg.Connection) -> list[MonthArchived]:
    """Return every part in the order of archiving, in this connection's snapshot."""
    return [_decoder.decode(row[0]).event for row in connection.execute(ARCHIVED, binary=True)]


def split_missing(
    parts: list[MonthArchived], folder: Path
) -> tuple[list[MonthArchived], tuple[str, ...]]:
    """Return the parts whose file is complete, and the faults of the others."""
    whole, missing = [], []
    for part in parts:
        try:
            check(folder / part.file, ("archive",), part.sha256)
        except Refused as refused:
            missing.append(f"{part.month}: {refused}")
        else:
            whole.append(part)
    return whole, tuple(missing)


class Past:
    """Reads the files of archived months; a read continues where the last one ended."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._parts: tuple[MonthArchived, ...] = ()
        self._read_to = 0  # all events up to here were returned
        self._waiting: deque[EventRow] = deque()
        self._rows: Iterator[EventRow] = iter(())

    def check(self) -> None:
        """Refuse unless every file is there and complete."""
        for part in load_keeping(self._store).parts:
            check(self._folder / part.file, ("archive",), part.sha256)

    def after(self, position: int, limit: int) -> list[Recorded]:
        """Return up to `limit` archived events after `position`, in order."""
        self._go_to(position)
        while len(self._waiting) < limit and (row := next(self._rows, None)):
            if row[0] > position:
                self._waiting.append(row)
        return [self._store.recorded(_row(each)) for each in islice(self._waiting, limit)]

    def between(self, after: int, until: int) -> Iterator[Row]:
        """Yield the archived events of a range of the log, in order; `after` is excluded."""
        self._go_to(after)
        self._read_to = until
        while True:
            row = self._waiting.popleft() if self._waiting else next(self._rows, None)
            if row is None:
                return
            if row[0] > until:
                self._waiting.appendleft(row)
                return
            if row[0] > after:
                yield _row(row)

    def at(self, positions: Collection[int]) -> Iterator[Row]:
        """Yield the archived events at these positions, in order."""
        wanted = set(positions)
        first, last = min(wanted), max(wanted)
        for part in load_keeping(self._store).parts:
            if part.first_position <= last and part.last_position >= first:
                yield from self._rows_at(part, sorted(wanted))

    def _rows_at(self, part: MonthArchived, wanted: list[int]) -> Iterator[Row]:
        path = self._folder / part.file
        if not path.is_file():
            raise Refused("There is no file %(file)s.", file=part.file)
        runs: list[list[int]] = []
        for position in wanted:
            if part.first_position <= position <= part.last_position:
                if runs and position - runs[-1][-1] <= FAR:
                    runs[-1].append(position)
                else:
                    runs.append([position])
        for run in runs:
            asked = set(run)
            for row in event_rows(path, run[0] - 1):
                if row[0] > run[-1]:
                    break
                if row[0] in asked:
                    yield _row(row)

    def _go_to(self, position: int) -> None:
        parts = load_keeping(self._store).parts
        if position < self._read_to or parts != self._parts:
            self._open(position, parts)
        self._read_to = position
        while self._waiting and self._waiting[0][0] <= position:
            self._waiting.popleft()

    def _open(self, position: int, parts: tuple[MonthArchived, ...]) -> None:
        wanted = [part for part in parts if part.last_position > position]
        for part in wanted:
            check(self._folder / part.file, ("archive",), part.sha256)
        files = [event_rows(self._folder / part.file, position) for part in wanted]
        self._waiting.clear()
        self._rows = heapq.merge(*files, key=itemgetter(0))
        self._parts = parts


def _row(row: EventRow) -> Row:
    position, stream, version, topic, state = row
    return Row(stream, version, topic, state, position)


def open_store(url: str, archives: Path) -> Store:
    """Open the log of a database together with the archived months in a folder."""
    store = Store(url)
    store.past = lambda: Past(store, archives)
    return store

"""Reads archived events in the order of their positions, for what is made anew from the log."""

import heapq
from collections import deque
from collections.abc import Iterator
from itertools import islice
from operator import itemgetter
from pathlib import Path

from billing.aggregates.keeping import MonthArchived
from billing.commands.keeping import load_keeping
from billing.keeping.container import EventRow, check, event_rows
from billing.store import Recorded, Row, Store


class Past:
    """The files of archived months, read on from where the last reading ended."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._parts: tuple[MonthArchived, ...] = ()
        self._read_to = 0  # everything up to here was handed out
        self._waiting: deque[EventRow] = deque()
        self._rows: Iterator[EventRow] = iter(())

    def check(self) -> None:
        """Refused unless every file is there and whole."""
        for part in load_keeping(self._store).parts:
            check(self._folder / part.file, ("archive",), part.sha256)

    def after(self, position: int, limit: int) -> list[Recorded]:
        """Up to `limit` archived events after `position`, in order."""
        parts = load_keeping(self._store).parts
        if position < self._read_to or parts != self._parts:
            self._open(position, parts)
        self._read_to = position
        while self._waiting and self._waiting[0][0] <= position:
            self._waiting.popleft()
        while len(self._waiting) < limit and (row := next(self._rows, None)):
            if row[0] > position:
                self._waiting.append(row)
        return [
            self._store.recorded(Row(stream, version, topic, state, at))
            for at, stream, version, topic, state in islice(self._waiting, limit)
        ]

    def _open(self, position: int, parts: tuple[MonthArchived, ...]) -> None:
        wanted = [part for part in parts if part.last_position > position]
        for part in wanted:
            check(self._folder / part.file, ("archive",), part.sha256)
        files = [event_rows(self._folder / part.file) for part in wanted]
        self._waiting.clear()
        self._rows = heapq.merge(*files, key=itemgetter(0))
        self._parts = parts

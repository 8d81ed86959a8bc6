"""Shorten the numbers of a month: its events lose digits, and its seals still prove them.

A range of appends is done in one transaction, together with the event about it. After a kill, the
next call continues with the next range. docs/decisions/0090 explains what happens to the seals.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec
import psycopg

from billing.aggregates import call
from billing.aggregates.event import Envelope
from billing.aggregates.keeping import NumbersShortened
from billing.commands.deciding import ATTEMPTS, fold
from billing.commands.keeping import load_keeping
from billing.keeping.archive_format import EventRow
from billing.keeping.exclusive import exclusive
from billing.keeping.keeper import Keeper, ReportProgress
from billing.keeping.months import is_over, partition_exists
from billing.log.codec import rewritten
from billing.log.partitions import partition_name
from billing.log.sealing import digest_over, partition_digests
from billing.log.store import Pending, Recorded, Row, Store
from billing.values import Refused

CHUNK = 10_000  # events in a range, approximately

END = "select coalesce(max(notification_id), 0) from {partition}"
# An append is in an archive as a whole, so the next range begins after it.
NEXT_SEALS = """
select last_position, first_position, events, digests ->> %(month)s from seals
where first_position > %(after)s and last_position > %(after)s and first_position <= %(until)s
 and digests ? %(month)s order by last_position limit %(most)s"""
SEALS = """
select last_position, first_position, events, digests ->> %(month)s from seals
where last_position between %(after)s and %(until)s and digests ? %(month)s
order by last_position"""
COLUMNS = "select notification_id, originator_id, originator_version, topic, state from {partition}"
EVENTS = COLUMNS + " where notification_id between %s and %s order by notification_id"
# Whether a call is settled depends on all its events, also those outside the range.
WHOLE_CALLS = (
    COLUMNS
    + """
where originator_id in (
  select originator_id from {partition} where notification_id between %s and %s)
order by notification_id"""
)
OVERTAKEN = """
select exists (select from {partition} where originator_id = any(%s) and notification_id > %s)"""
REWRITE = """
update {partition} as old set state = new.state
from unnest(%b::text[], %b::bigint[], %b::bytea[]) as new (stream, version, state)
where old.originator_id = new.stream and old.originator_version = new.version"""


class _Seal(msgspec.Struct, frozen=True):
    last: int
    first: int
    events: int  # of all partitions
    digest: str  # of the month's partition


class _Overtaken(Exception):  # noqa: N818 -- an outcome that leads to another attempt, not an error
    """A call of the range got another event in the meantime."""


class _Change(msgspec.Struct, frozen=True):
    """An event to rewrite."""

    row: EventRow  # the new row
    counts: bool  # whether it is the first of its call


def stream_of(month: str) -> str:
    """Return the stream with the shortenings of a month."""
    return f"keeping:{month}"


def shorten(
    keeper: Keeper, month: str, envelope: Envelope, progress: ReportProgress = lambda _: None
) -> int:
    """Shorten the numbers of a month in the database; return the number of calls.

    A call that waits for its price keeps its number until it has one. Archived events stay
    unchanged. Refused, without any change, if the log does not match its seals.
    """
    with exclusive(keeper.url, f"shorten {month}", keeper.wait_seconds):
        return shorten_locked(keeper, month, envelope, progress)


def shorten_locked(keeper: Keeper, month: str, envelope: Envelope, progress: ReportProgress) -> int:
    """Shorten like `shorten`; the caller holds the lock of keeping."""
    if not is_over(month, envelope.recorded_at):
        raise Refused("The month %(month)s ended too recently.", month=month)
    calls = 0
    with psycopg.connect(keeper.url, autocommit=True) as connection:
        if not partition_exists(connection, month):
            raise Refused("There are no calls of %(month)s in the database.", month=month)
        work = _Work(connection, keeper.store, month)
        begin = work.done_to
        while (more := work.step(envelope)) is not None:
            calls += more
            progress((work.done_to - begin) / max(work.until - begin, 1))
        if calls:  # until then the file still contains the old versions
            connection.execute(f"vacuum {partition_name(month)}".encode())
    return calls


def is_unshortened(connection: psycopg.Connection, store: Store, month: str) -> bool:
    """Return whether a month in the database has events that were not examined yet."""
    return _Work(connection, store, month).has_more()


class _Work:
    """The progress of shortening a month."""

    def __init__(self, connection: psycopg.Connection, store: Store, month: str) -> None:
        self._connection = connection
        self._store = store
        self._month = month
        told = store.load(stream_of(month))
        self._version = len(told)
        # The latest event about each range.
        self._ranges: dict[tuple[int, int], NumbersShortened] = {}
        for recorded in told:
            self._note(recorded.event)
        parts = load_keeping(store).parts_of(month)
        self._archived_to = parts[-1].last_position if parts else 0
        self.until = 0  # position of the month's last event

    def _note(self, event: object) -> None:
        if isinstance(event, NumbersShortened):
            self._ranges[event.first_position, event.last_position] = event

    @property
    def done_to(self) -> int:
        """The position up to which everything was examined."""
        return max([self._archived_to, *(last for _, last in self._ranges)])

    def has_more(self) -> bool:
        """Return whether there are events after that."""
        ((self.until,),) = self._execute(END)
        return bool(self.until > self.done_to)

    def step(self, envelope: Envelope) -> int | None:
        """Do the next range; return the number of shortened calls, None if there is no range."""
        for _ in range(ATTEMPTS):
            if not self.has_more():
                return None
            try:
                return self._do(self._next(), envelope)
            except _Overtaken:
                continue
        raise Refused("Calls of %(month)s have just arrived; try again.", month=self._month)

    def _next(self) -> list[_Seal]:
        """Return the appends of the next range."""
        values = {"month": self._month, "after": self.done_to, "until": self.until, "most": CHUNK}
        span: list[_Seal] = []
        events = 0
        for row in self._execute(NEXT_SEALS, values):
            span.append(_Seal(*row))
            events += span[-1].events
            if events >= CHUNK:
                break
        if not span:
            raise self._misfit(self.done_to + 1, self.until)
        return span

    def _do(self, seals: list[_Seal], envelope: Envelope) -> int:
        first, last = seals[0].first, seals[-1].last
        whole = self._rows(WHOLE_CALLS, first, last)
        changes = {position: change for position, change in self._decide(whole) if position <= last}
        told = [self._tell(seals, [row for row in whole if first <= row[0] <= last], changes)]
        told += [
            self._tell_again(span, changes)
            for span in sorted(self._ranges)
            if any(span[0] <= position <= span[1] for position in changes)
        ]
        stream = stream_of(self._month)
        pending = [
            Pending(stream, version, event, envelope)
            for version, event in enumerate(told, self._version + 1)
        ]
        streams = sorted({row[1] for row in whole})
        self._store.append(pending, lambda cursor: self._rewrite(cursor, streams, changes))
        self._version += len(told)
        for event in told:
            self._note(event)
        return sum(event.calls for event in told)

    def _decide(self, rows: Sequence[EventRow]) -> Iterator[tuple[int, _Change]]:
        """Yield the events of settled calls that lose digits, by position."""
        for _, group in groupby(sorted(rows, key=itemgetter(1, 2)), itemgetter(1)):
            events = list(group)
            recorded = [self._recorded(row) for row in events]
            state = fold(call.evolve, recorded)
            if state and not state.settled:
                continue
            counts = not any(call.is_shortened(each.event) for each in recorded)
            for row, each in zip(events, recorded, strict=True):
                event = call.shorten(state, each.event)
                if event is not each.event and row[0] > self._archived_to:
                    content = rewritten(_row(row), event)
                    yield row[0], _Change((*row[:4], content), counts)
                    counts = False

    def _recorded(self, row: EventRow) -> Recorded:
        return self._store.recorded(_row(row))

    def _tell(
        self, seals: list[_Seal], rows: list[EventRow], changes: dict[int, _Change]
    ) -> NumbersShortened:
        """Return the event about a range, whose digests must match its seals."""
        sealed = [seal.digest for seal in seals]
        if self._digests(seals, rows) != sealed:
            raise self._misfit(seals[0].first, seals[-1].last)
        return self._event(seals, rows, changes, digest_over(sealed))

    def _tell_again(self, span: tuple[int, int], changes: dict[int, _Change]) -> NumbersShortened:
        """Return the event about a range that has calls which had waited for their price."""
        values = {"month": self._month, "after": span[0], "until": span[1]}
        seals = [_Seal(*row) for row in self._execute(SEALS, values)]
        rows = self._rows(EVENTS, *span)
        before = digest_over(self._digests(seals, rows))
        if before != self._ranges[span].after:
            raise self._misfit(*span)
        return self._event(seals, rows, changes, before)

    def _event(
        self, seals: list[_Seal], rows: list[EventRow], changes: dict[int, _Change], before: str
    ) -> NumbersShortened:
        there = [changes[row[0]].row if row[0] in changes else row for row in rows]
        return NumbersShortened(
            month=self._month,
            first_position=seals[0].first,
            last_position=seals[-1].last,
            events=len(rows),
            calls=sum(row[0] in changes and changes[row[0]].counts for row in rows),
            before=before,
            after=digest_over(self._digests(seals, there)),
        )

    def _digests(self, seals: Sequence[_Seal], rows: Sequence[EventRow]) -> list[str]:
        """Return the digest of each append over its events of the month."""
        found, place = [], 0
        for seal in seals:
            begin = place
            while place < len(rows) and rows[place][0] <= seal.last:
                place += 1
            found.append(partition_digests(rows[begin:place]).get(self._month, ""))
        return found

    def _misfit(self, first: int, last: int) -> Refused:
        return Refused(
            "The log does not match its seals at positions %(first)s to %(last)s; "
            "nothing was shortened there.",
            first=first,
            last=last,
        )

    def _rewrite(
        self, cursor: psycopg.Cursor[Any], streams: list[str], changes: dict[int, _Change]
    ) -> None:
        """Rewrite the events while nobody appends."""
        ((overtaken,),) = cursor.execute(self._sql(OVERTAKEN), (streams, self.until)).fetchall()
        if overtaken:
            raise _Overtaken
        if not changes:
            return
        rows = [change.row for change in changes.values()]
        columns = [row[1] for row in rows], [row[2] for row in rows], [row[4] for row in rows]
        cursor.execute(self._sql(REWRITE), columns)

    def _rows(self, statement: str, first: int, last: int) -> list[EventRow]:
        return self._execute(statement, (first, last))

    def _execute(self, statement: str, values: Any = None) -> list[Any]:
        return self._connection.execute(self._sql(statement), values, binary=True).fetchall()

    def _sql(self, statement: str) -> bytes:
        return statement.replace("{partition}", partition_name(self._month)).encode()


def _row(row: EventRow) -> Row:
    position, stream, version, topic, state = row
    return Row(stream, version, topic, state, position)

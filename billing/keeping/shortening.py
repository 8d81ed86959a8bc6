"""Shortening the numbers of a month: its events lose digits, and its seals still prove them.

A stretch of appends is done in one transaction, together with the event that tells of it; killed
at any point it goes on with the next stretch. docs/decisions/0090 says how the seals go on.
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
from billing.log.partitions import partition_name
from billing.log.sealing import digest_over, partition_digests
from billing.log.store import Pending, Recorded, Row, Store
from billing.values import Refused

CHUNK = 10_000  # events of a stretch, about

END = "select coalesce(max(notification_id), 0) from {partition}"
# An append lies in an archive whole, so the next one begins after it.
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
# A call is settled or not by all its events, those before and after the stretch too.
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
    digest: str  # of the month's


class _Overtaken(Exception):  # noqa: N818 -- an outcome to look again on, not a fault
    """A call of the stretch got a further event meanwhile."""


class _Change(msgspec.Struct, frozen=True):
    """An event that is rewritten."""

    row: EventRow  # as it will be
    counts: bool  # whether it is the first of its call


def stream_of(month: str) -> str:
    """The stream of what was shortened of a month."""
    return f"keeping:{month}"


def shorten(
    keeper: Keeper, month: str, envelope: Envelope, progress: ReportProgress = lambda _: None
) -> int:
    """Shorten the numbers of a month as far as they are in the database; of how many calls.

    A call that still waits for its price keeps its number until it has one. What lies in an
    archive stays as it is there. Refused, and nothing changed, where the log doesn't fit its seals.
    """
    with exclusive(keeper.url, f"shorten {month}", keeper.wait_seconds):
        return shorten_locked(keeper, month, envelope, progress)


def shorten_locked(keeper: Keeper, month: str, envelope: Envelope, progress: ReportProgress) -> int:
    """The same, for who holds the lock of keeping."""
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
        if calls:  # what was rewritten leaves its old version in the file until then
            connection.execute(f"vacuum {partition_name(month)}".encode())
    return calls


def is_unshortened(connection: psycopg.Connection, store: Store, month: str) -> bool:
    """Whether a month in the database has events that nobody looked at yet."""
    return _Work(connection, store, month).has_more()


class _Work:
    """Where the shortening of a month is."""

    def __init__(self, connection: psycopg.Connection, store: Store, month: str) -> None:
        self._connection = connection
        self._store = store
        self._month = month
        told = store.load(stream_of(month))
        self._version = len(told)
        # The last that was said of each stretch.
        self._stretches: dict[tuple[int, int], NumbersShortened] = {}
        for recorded in told:
            self._note(recorded.event)
        parts = load_keeping(store).parts_of(month)
        self._archived_to = parts[-1].last_position if parts else 0
        self.until = 0  # the end of the month's events

    def _note(self, event: object) -> None:
        if isinstance(event, NumbersShortened):
            self._stretches[event.first_position, event.last_position] = event

    @property
    def done_to(self) -> int:
        """The position up to which everything was looked at."""
        return max([self._archived_to, *(last for _, last in self._stretches)])

    def has_more(self) -> bool:
        """Whether there is anything after that."""
        ((self.until,),) = self._execute(END)
        return bool(self.until > self.done_to)

    def step(self, envelope: Envelope) -> int | None:
        """Do the next stretch; the calls that were shortened, None if there is none."""
        for _ in range(ATTEMPTS):
            if not self.has_more():
                return None
            try:
                return self._do(self._next(), envelope)
            except _Overtaken:
                continue
        raise Refused("Calls of %(month)s have just arrived; try again.", month=self._month)

    def _next(self) -> list[_Seal]:
        """The appends of the next stretch."""
        values = {"month": self._month, "after": self.done_to, "until": self.until, "most": CHUNK}
        stretch: list[_Seal] = []
        events = 0
        for row in self._execute(NEXT_SEALS, values):
            stretch.append(_Seal(*row))
            events += stretch[-1].events
            if events >= CHUNK:
                break
        if not stretch:
            raise self._misfit(self.done_to + 1, self.until)
        return stretch

    def _do(self, seals: list[_Seal], envelope: Envelope) -> int:
        first, last = seals[0].first, seals[-1].last
        whole = self._rows(WHOLE_CALLS, first, last)
        changes = {position: change for position, change in self._decide(whole) if position <= last}
        told = [self._tell(seals, [row for row in whole if first <= row[0] <= last], changes)]
        told += [
            self._tell_again(stretch, changes)
            for stretch in sorted(self._stretches)
            if any(stretch[0] <= position <= stretch[1] for position in changes)
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
        """The events of settled calls that lose digits, by position."""
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
                    content = self._store.rewritten(_row(row), event)
                    yield row[0], _Change((*row[:4], content), counts)
                    counts = False

    def _recorded(self, row: EventRow) -> Recorded:
        return self._store.recorded(_row(row))

    def _tell(
        self, seals: list[_Seal], rows: list[EventRow], changes: dict[int, _Change]
    ) -> NumbersShortened:
        """What is done to a stretch, which must be as it was sealed."""
        sealed = [seal.digest for seal in seals]
        if self._digests(seals, rows) != sealed:
            raise self._misfit(seals[0].first, seals[-1].last)
        return self._event(seals, rows, changes, digest_over(sealed))

    def _tell_again(
        self, stretch: tuple[int, int], changes: dict[int, _Change]
    ) -> NumbersShortened:
        """What is done to a stretch with calls that waited for their price before."""
        values = {"month": self._month, "after": stretch[0], "until": stretch[1]}
        seals = [_Seal(*row) for row in self._execute(SEALS, values)]
        rows = self._rows(EVENTS, *stretch)
        before = digest_over(self._digests(seals, rows))
        if before != self._stretches[stretch].after:
            raise self._misfit(*stretch)
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
        """The digest of each append over what it has of the month."""
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
        """Write what was decided on, while nobody appends."""
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

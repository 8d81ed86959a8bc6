"""Backups: of everything while the service runs, or of the calls of a period."""

import heapq
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from operator import itemgetter
from pathlib import Path
from secrets import token_hex
from zoneinfo import ZoneInfo

import msgspec
import psycopg

from billing.aggregates.event import Envelope
from billing.aggregates.keeping import BackupMade, BackupRemoved, MonthArchived
from billing.commands.keeping import BACKUPS, load_keeping, note_backup
from billing.keeping.archive_format import (
    BLOCK,
    ROWS,
    EventRow,
    Header,
    Writer,
    Written,
    check,
    event_rows,
    writing,
)
from billing.keeping.archived_events import archived_parts, split_missing
from billing.keeping.exclusive import exclusive
from billing.keeping.keeper import Keeper, ReportProgress
from billing.keeping.months import kept_months
from billing.keeping.new_files import restoring
from billing.keeping.table_dump import kept_tables, write_table
from billing.log import positions
from billing.log.store import Store
from billing.periods import Period, months_between
from billing.values import Refused

NAME = "%Y-%m-%d-%H%M%S"
FULL, SCHEDULED, CALLS = "full", "scheduled", "calls"
ARCHIVE = "archive:"  # prefix of the frames with files of archived months
LOOKS = 20  # attempts to find the balances at the end of the log

EVENTS = """
select notification_id, originator_id, originator_version, topic, state
from billing_events order by notification_id"""
# By name and not by partition: calls of implausible dates are in a shared one.
CALL_EVENTS = """
select notification_id, originator_id, originator_version, topic, state
from billing_events where originator_id >= 'call:{month}' and originator_id < 'call:{month};'
order by notification_id"""
BALANCES = "select account, balance_micros from balances order by account"
MIGRATIONS = "select name, sha256 from migrations"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The last frame of a backup: what a restored database must have."""

    events: int
    last_position: int = 0
    tables: dict[str, int] = {}
    archives: tuple[str, ...] = ()
    balances: dict[str, int] | None = None  # None: the balances were behind the log


def back_up(
    keeper: Keeper,
    envelope: Envelope,
    kind: str = FULL,
    path: Path | None = None,
    progress: ReportProgress = lambda _: None,
) -> BackupMade:
    """Back up everything to one file, and record that in the log."""
    path = path or new_path(keeper.backups, f"{kind}-{datetime.now(UTC).strftime(NAME)}")
    with exclusive(keeper.url, f"backup {path.name}", keeper.wait_seconds):
        made = write_backup(keeper.url, keeper.archives, path, kind, progress)
        note_backup(keeper.store, made, envelope)
        if kind == SCHEDULED:
            _rotate(keeper, envelope)
    return made


def new_path(folder: Path, name: str) -> Path:
    """Return the path of a new backup; backups of the same second get different names."""
    return folder / f"{name}-{token_hex(3)}.backup"


def write_backup(
    url: str, archives: Path, path: Path, kind: str, progress: ReportProgress = lambda _: None
) -> BackupMade:
    """Write everything as of one moment while others write. Call it with the lock of keeping."""
    with psycopg.connect(url) as connection:
        last, sealed, shows = _begin_snapshot(connection)
        parts, _ = split_missing(archived_parts(connection), archives)
        header = Header(
            kind=FULL,
            made_at=datetime.now(UTC).isoformat(),
            migrations=dict(connection.execute(MIGRATIONS).fetchall()),
            months=tuple(kept_months(connection)),
        )
        with writing(path, header) as writer:
            tables = {
                name: write_table(connection, writer, name) for name in kept_tables(connection)
            }
            count = _write_events(
                writer, _read(connection, EVENTS), lambda n: progress(n / max(sealed, 1))
            )
            for part in parts:
                _write_file(writer, archives / part.file)
            balances: dict[str, int] = dict(connection.execute(BALANCES).fetchall())
            manifest = Manifest(
                events=count,
                last_position=last,
                tables=tables,
                archives=tuple(part.file for part in parts),
                balances=balances if shows else None,
            )
            writer.finish(manifest)
    return _made(kind, count, writer.written(path))


def _begin_snapshot(connection: psycopg.Connection) -> tuple[int, int, bool]:
    """Begin a snapshot, if possible one whose balances are at the end of the log.

    Return the end of the log, the number of sealed events, and whether the balances are there.
    """
    for _ in range(LOOKS):
        connection.rollback()
        connection.execute("set transaction isolation level repeatable read, read only")
        last, sealed = positions.extent(connection)
        if positions.is_shown(connection, last, "balances"):
            return last, sealed, True
        time.sleep(0.1)
    return last, sealed, False


def _read(connection: psycopg.Connection, statement: str) -> Iterator[EventRow]:
    with connection.cursor("events", binary=True) as cursor:
        cursor.itersize = ROWS * 4
        yield from cursor.execute(statement.encode())


def _write_events(writer: Writer, rows: Iterator[EventRow], tell: Callable[[int], None]) -> int:
    count, waiting = 0, list[EventRow]()
    for row in rows:
        waiting.append(row)
        if len(waiting) == ROWS:
            writer.add_rows("events", waiting)
            count += ROWS
            tell(count)
            waiting.clear()
    if waiting:
        writer.add_rows("events", waiting)
    return count + len(waiting)


def _write_file(writer: Writer, path: Path) -> None:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            writer.add(ARCHIVE + path.name, block)


def _made(kind: str, events: int, written: Written) -> BackupMade:
    """Describe the backup, and write a checksum file next to it for `sha256sum -c`."""
    path = written.path
    try:
        with restoring(path.with_name(path.name + ".sha256")) as file:
            file.write(f"{written.sha256}  {path.name}\n".encode())
    except Refused:
        path.unlink()  # the log does not name it yet
        raise
    return BackupMade(
        kind=kind,
        file=path.name,
        sha256=written.sha256,
        size_bytes=written.size_bytes,
        events=events,
    )


class _FiledAt(msgspec.Struct, frozen=True):
    filed_at: datetime


class _StoredFiling(msgspec.Struct, frozen=True):
    event: _FiledAt


_decoder = msgspec.json.Decoder(_StoredFiling)


def back_up_calls(
    keeper: Keeper,
    period: Period,
    zone: ZoneInfo,
    envelope: Envelope,
    *,
    path: Path | None = None,
    progress: ReportProgress = lambda _: None,
) -> BackupMade:
    """Write the events of calls on these local days to one file, archived ones too."""
    path = path or new_path(keeper.backups, f"{CALLS}-{period.first}-{period.last}")
    with exclusive(keeper.url, f"backup {path.name}", keeper.wait_seconds):
        count, written = _write_calls(keeper, period, zone, path, progress)
        made = _made(CALLS, count, written)
        made = msgspec.structs.replace(made, first=period.first, last=period.last)
        note_backup(keeper.store, made, envelope)
    return made


def _write_calls(
    keeper: Keeper, period: Period, zone: ZoneInfo, path: Path, progress: ReportProgress
) -> tuple[int, Written]:
    """Write the calls of a period to a file; return the number of events, and the file."""
    begin, end = period.bounds(zone)
    header = Header(
        kind=CALLS, made_at=datetime.now(UTC).isoformat(), about=f"{period.first}/{period.last}"
    )
    months = months_between(begin, end)
    with psycopg.connect(keeper.url) as connection:
        connection.execute("set transaction isolation level repeatable read, read only")
        state = load_keeping(keeper.store)
        with writing(path, header) as writer:
            count = 0
            for number, month in enumerate(months):
                parts = () if month in state.attached else state.parts_of(month)
                rows = _month(connection, keeper, month, parts)
                wanted = (r for r in rows if begin <= _decoder.decode(r[4]).event.filed_at < end)
                count += _write_events(writer, wanted, lambda _: None)
                progress((number + 1) / len(months))
            if not count:
                raise Refused("There are no calls in this period.")
            writer.finish(Manifest(events=count))
    return count, writer.written(path)


def _month(
    connection: psycopg.Connection,
    keeper: Keeper,
    month: str,
    parts: tuple[MonthArchived, ...],
) -> Iterator[EventRow]:
    sources = [event_rows(keeper.archives / part.file) for part in parts]
    sources.append(_read(connection, CALL_EVENTS.format(month=month)))
    return heapq.merge(*sources, key=itemgetter(0))


def backups_made(store: Store) -> list[tuple[datetime, BackupMade]]:
    """Return the backups that were not removed, oldest first, with the time of each."""
    made: dict[str, tuple[datetime, BackupMade]] = {}
    for recorded in store.load(BACKUPS):
        match recorded.event:
            case BackupMade() as event:
                made.pop(event.file, None)
                made[event.file] = (recorded.envelope.recorded_at, event)
            case BackupRemoved(file=file):
                made.pop(file, None)
    return list(made.values())


def _rotate(keeper: Keeper, envelope: Envelope) -> None:
    """Remove the oldest scheduled backups that exceed the number to keep."""
    kept = load_keeping(keeper.store).backups_kept
    scheduled = [made for _, made in backups_made(keeper.store) if made.kind == SCHEDULED]
    check(keeper.backups / scheduled[-1].file, (FULL,), scheduled[-1].sha256)
    for made in scheduled[:-kept]:
        _remove(keeper, made.file, envelope)


def _remove(keeper: Keeper, file: str, envelope: Envelope) -> None:
    for name in (file, f"{file}.sha256"):
        (keeper.backups / name).unlink(missing_ok=True)
    note_backup(keeper.store, BackupRemoved(file=file), envelope)


def last_scheduled(store: Store) -> datetime | None:
    """Return when the last scheduled backup was made; None if there is none."""
    times = [at for at, made in backups_made(store) if made.kind == SCHEDULED]
    return times[-1] if times else None


def remove(keeper: Keeper, file: str, envelope: Envelope) -> None:
    """Remove a backup. Refused if it is unknown."""
    with exclusive(keeper.url, f"remove {file}", keeper.wait_seconds):
        known_file(keeper, file)
        _remove(keeper, file, envelope)


def known_file(keeper: Keeper, file: str) -> Path:
    """Return the path of a backup that the log names. Refused if it is unknown or removed."""
    if file not in {made.file for _, made in backups_made(keeper.store)}:
        raise Refused("There is no file %(file)s.", file=file)
    return keeper.backups / file


def parse_period(text: str) -> Period:
    """Parse a period such as "2026-03-01/2026-03-31". Refused if it is not one."""
    first, _, last = text.partition("/")
    try:
        period = Period(date.fromisoformat(first), date.fromisoformat(last))
    except ValueError as error:
        raise Refused("%(text)s is not a date.", text=text) from error
    if period.first > period.last:
        raise Refused("The period ends before it begins.")
    return period

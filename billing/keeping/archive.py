"""Archive a month: write its events and seals to a file, read it back, then drop the month."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

import msgspec
import psycopg

from billing.aggregates.event import Envelope
from billing.aggregates.keeping import MonthArchived, NumbersShortened
from billing.commands.keeping import archive_month, detach_month, load_keeping
from billing.keeping.archive_format import (
    ROWS,
    EventRow,
    Header,
    Written,
    check,
    event_rows,
    seal_rows,
    writing,
)
from billing.keeping.exclusive import exclusive
from billing.keeping.keeper import Keeper, ReportProgress
from billing.keeping.months import is_over, partition_exists
from billing.keeping.shortened_ranges import ShortenedRanges, read_shortenings
from billing.keeping.shortening import shorten_locked
from billing.log import positions
from billing.log.partitions import partition_name
from billing.log.sealing import archived_key, partition_digests
from billing.log.store import LOCK
from billing.values import Money, Refused

LOCK_SECONDS = 2  # how long readers of the month may block appends
ATTEMPTS = 5  # then it is tried again another day
PAUSE_SECONDS = 3.0

EVENTS = """
select notification_id, originator_id, originator_version, topic, state from {partition}
where notification_id > %s order by notification_id"""
EXTENT = """
select count(*), coalesce(min(notification_id), 0), coalesce(max(notification_id), 0)
from {partition} where notification_id > %s"""
SEALS = """
select last_position, first_position, events, previous, digests::text, seal from seals
where last_position >= %s and first_position <= %s and digests ? %s order by last_position"""
# Whatever was posted before the last `MonthClosed` (policies/closing.py) is in a closed month. Late
# calls of an old month are posted to an open one. The statements follow a moment later.
UNCLOSED = """
select 1 where %(last)s > coalesce((
  select max(notification_id) from billing_events where originator_id = 'books'), 0)
union all
select 1 from books join accounts on own_wallet and state <> 'closed'
 and opened_at < (open_month || '-01')::date
 and statements_through < to_char((open_month || '-01')::date - 1, 'YYYY-MM')
limit 1"""
SUSPENDED = "select count(*) from {call_list} where status = 'suspended'"
COSTS = """
select currency, count(*), sum(amount_micros)::bigint from {call_list}
where 'call:' || call_id in (select originator_id from {partition} where notification_id > %s)
group by currency order by currency"""
KEYS = "create temporary table keys (key uuid, version bigint, digest text) on commit drop"
COPY_KEYS = "copy keys (key, version, digest) from stdin"
REMEMBER_CALLS = """
insert into archived_calls (key, version, digest)
select key, max(version),
 coalesce((array_agg(digest order by version desc) filter (where digest <> ''))[1], '')
from keys group by key
on conflict (key) do update set version = excluded.version,
 digest = coalesce(nullif(excluded.digest, ''), archived_calls.digest)"""
REMEMBER_MONTH = """
insert into archived_months (month, last_position) values (%s, %s)
on conflict (month) do update set last_position = excluded.last_position"""
COUNT = "select count(*) from {partition} where notification_id between %s and %s"
LATER = "select exists (select from {partition} where notification_id > %s)"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The last frame of an archive."""

    events: int
    seals: int
    first_position: int
    last_position: int


class _Digest(msgspec.Struct, frozen=True):
    digest: str = ""


class _StoredDigest(msgspec.Struct, frozen=True):
    event: _Digest


_decoder = msgspec.json.Decoder(_StoredDigest)


def archive(
    keeper: Keeper, month: str, envelope: Envelope, progress: ReportProgress = lambda _: None
) -> list[MonthArchived]:
    """Write the rest of a month to a file, read it back, drop the month; return all parts.

    If it is killed at any point, the next call completes it: only events that are in files are
    dropped. Refused for a month that ended too recently, has no calls here, is not closed, or has
    suspended calls: nobody would see them in a file.
    """
    with exclusive(keeper.url, f"archive {month}", keeper.wait_seconds) as connection:
        parts = archive_locked(connection, keeper, month, envelope, progress)
        if month in load_keeping(keeper.store).attached:
            detach_month(keeper.store, month, envelope)
        return parts


def archive_locked(
    connection: psycopg.Connection,
    keeper: Keeper,
    month: str,
    envelope: Envelope,
    progress: ReportProgress,
) -> list[MonthArchived]:
    """Archive a month like `archive`, on the connection that holds the lock of keeping."""
    if not is_over(month, envelope.recorded_at):
        raise Refused("The month %(month)s ended too recently.", month=month)
    if not partition_exists(connection, month):
        raise Refused("There are no calls of %(month)s in the database.", month=month)
    state = load_keeping(keeper.store)
    parts = state.parts_of(month)
    if state.shorten_months:  # an archive file is never changed, so shorten now
        shorten_locked(keeper, month, envelope, lambda share: progress(0.4 * share))
    part = _write_part(connection, keeper.archives, month, parts, progress)
    if part:
        file = keeper.archives / part.file
        with connection.transaction():
            _check_part(connection, file, part)
        progress(0.8)
        _remember_calls(connection, file)
        archive_month(keeper.store, part, envelope)
        parts = (*parts, part)
    if not parts:
        raise Refused("There are no calls of %(month)s in the database.", month=month)
    progress(0.95)
    with connection.transaction():
        _check_month(connection, keeper.archives, month, parts)
        _drop_patiently(connection, month, parts[-1].last_position)
    return list(parts)


def _sql(statement: str, month: str) -> bytes:
    names = {
        "partition": partition_name(month),
        "call_list": f"call_list_{month.replace('-', '_')}",
    }
    return statement.format(**names).encode()


def _write_part(
    connection: psycopg.Connection,
    folder: Path,
    month: str,
    parts: tuple[MonthArchived, ...],
    progress: ReportProgress,
) -> MonthArchived | None:
    """Write the events after the last part to a file of their own; None if there are none."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        after = parts[-1].last_position if parts else 0
        extent = _one(connection, _sql(EXTENT, month), (after,))
        if not extent[0]:
            return None
        _refuse_unsettled(connection, month, extent[2])
        costs = connection.execute(_sql(COSTS, month), (after,)).fetchall()
        path = _free_path(folder, month, len(parts) + 1)
        written = _write_file(connection, path, (month, after), extent, progress)
    return _part(month, len(parts) + 1, written, extent, costs)


def _refuse_unsettled(connection: psycopg.Connection, month: str, last: int) -> None:
    """Refuse while the read models or the books still need the events in the database."""
    if behind := positions.lagging(connection, last):
        raise Refused("The page data “%(name)s” is behind; try again later.", name=behind)
    if connection.execute(UNCLOSED, {"last": last}).fetchone():
        raise Refused("The statements with the calls of %(month)s are not closed yet.", month=month)
    if calls := _one(connection, _sql(SUSPENDED, month), ())[0]:
        raise Refused(
            "Suspended calls of %(month)s: %(calls)s. Re-rate them or write them off first.",
            month=month,
            calls=calls,
        )


def _free_path(folder: Path, month: str, number: int) -> Path:
    """Return the path of a part. A killed archiving may have left a file under the usual name.

    That file is kept: it can't be known here whether another database needs it.
    """
    path = folder / f"{month}-{number}.archive"
    return path.with_stem(f"{path.stem}-{token_hex(4)}") if path.exists() else path


def _write_file(
    connection: psycopg.Connection,
    path: Path,
    about: tuple[str, int],
    extent: tuple[int, int, int],
    progress: ReportProgress,
) -> Written:
    """Write the events of a month after a position, and their seals."""
    month, after = about
    count, first, last = extent
    header = Header(kind="archive", made_at=datetime.now(UTC).isoformat(), about=month)
    with writing(path, header) as writer:
        seals = 0
        for seal_chunk in _chunks(connection, SEALS.encode(), (first, last, month)):
            writer.add_rows("seals", seal_chunk)
            seals += len(seal_chunk)
        events = 0
        for chunk in _chunks(connection, _sql(EVENTS, month), (after,)):
            writer.add_rows("events", chunk)
            events += len(chunk)
            progress(0.5 * events / count)
        writer.finish(
            Manifest(events=events, seals=seals, first_position=first, last_position=last)
        )
    return writer.written(path)


def _part(
    month: str, number: int, written: Written, extent: tuple[int, int, int], costs: list[Any]
) -> MonthArchived:
    return MonthArchived(
        month=month,
        part=number,
        file=written.path.name,
        sha256=written.sha256,
        size_bytes=written.size_bytes,
        events=extent[0],
        calls=sum(count for _, count, _ in costs),
        amounts=tuple(Money(micros, currency) for currency, _, micros in costs if currency),
        first_position=extent[1],
        last_position=extent[2],
    )


def _one(connection: psycopg.Connection, statement: bytes, values: tuple[Any, ...]) -> Any:
    (row,) = connection.execute(statement, values).fetchall()
    return row


def _chunks(
    connection: psycopg.Connection, statement: bytes, values: tuple[Any, ...]
) -> Iterator[list[Any]]:
    """Yield the rows of one frame after another, from a server-side cursor."""
    with connection.cursor("rows", binary=True) as cursor:
        cursor.itersize = ROWS
        cursor.execute(statement, values)
        while rows := cursor.fetchmany(ROWS):
            yield rows


def _check_part(connection: psycopg.Connection, path: Path, part: MonthArchived) -> None:
    """Read a file back: compare its checksum, seals and digests with the database."""
    check(path, ("archive",), part.sha256)
    with connection.cursor("seals", binary=True) as cursor:
        cursor.execute(SEALS, (part.first_position, part.last_position, part.month))
        for kept, sealed in zip(seal_rows(path), cursor, strict=True):
            if tuple(sealed) != kept:
                raise Refused(
                    "The seals of the file %(file)s differ from those of the log.", file=path.name
                )
    shortened = read_shortenings(connection)
    if (fault := fault_of(path, part, shortened)) is not None:
        raise Refused(
            "The file %(file)s does not match its seals: %(fault)s.", file=path.name, fault=fault
        )


def _check_month(
    connection: psycopg.Connection, folder: Path, month: str, parts: Sequence[MonthArchived]
) -> None:
    """Read back the files of everything that is dropped; together they must contain the month."""
    found = 0
    for part in parts:
        extent = part.first_position, part.last_position
        there = _one(connection, _sql(COUNT, month), extent)[0]
        if there not in (0, part.events):  # it is in the database, or only in its file
            raise _unlike(month)
        if there:
            _check_part(connection, folder / part.file, part)
        found += there
    if _one(connection, _sql(COUNT, month), (0, parts[-1].last_position))[0] != found:
        raise _unlike(month)


def _unlike(month: str) -> Refused:
    return Refused("The files of %(month)s have not the events of the database.", month=month)


def fault_of(
    path: Path, part: MonthArchived, shortened: Sequence[NumbersShortened] = ()
) -> str | None:
    """Return what does not match the seals of an archive; None if everything does. No database.

    If numbers were shortened, the events about that must be given as `shortened`.
    """
    ranges = ShortenedRanges(shortened)
    events = event_rows(path)
    event = next(events, None)
    count = 0
    for last, first, _, _, digests, _ in seal_rows(path):
        rows: list[EventRow] = []
        while event and event[0] <= last:
            rows.append(event)
            event = next(events, None)
        count += len(rows)
        sealed = msgspec.json.decode(digests, type=dict[str, str])
        found = partition_digests(rows)
        digest = found.pop(part.month, "")
        if found or ranges.fault(part.month, first, last, sealed[part.month], digest):
            return f"positions {first} to {last}"
    if event or count != part.events:
        return f"{count} of {part.events} events"
    return None


def _remember_calls(connection: psycopg.Connection, path: Path) -> None:
    """Store the keys of archived calls, so that repeated records are recognised."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(KEYS)
        with cursor.copy(COPY_KEYS) as copy:
            for _, stream, version, topic, state in event_rows(path):
                # A record kept as a conflict does not replace the first one.
                stands = not topic.startswith("ConflictKept")
                digest = _decoder.decode(state).event.digest if stands else ""
                copy.write_row((archived_key(stream), version, digest))
        cursor.execute(REMEMBER_CALLS)


def _drop_patiently(connection: psycopg.Connection, month: str, last_position: int) -> None:
    """Drop a month as soon as no query reads it; Refused after ATTEMPTS."""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_SECONDS)
        with suppress(psycopg.errors.LockNotAvailable), connection.transaction():
            _drop(connection, month, last_position)
            return
    raise Refused("The calls of %(month)s are being read; try again later.", month=month)


def _drop(connection: psycopg.Connection, month: str, last_position: int) -> None:
    """Drop a month; Refused if it has events that are in no file."""
    connection.execute(f"set local lock_timeout = '{LOCK_SECONDS}s'".encode())
    connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
    positions.hold(connection, "calls")
    if _one(connection, _sql(LATER, month), (last_position,))[0]:
        raise Refused("Calls of %(month)s have just arrived; try again.", month=month)
    connection.execute(REMEMBER_MONTH, (month, last_position))
    for parent in ("billing_events", "call_list"):
        name = f"{parent}_{month.replace('-', '_')}"
        if _one(connection, b"select to_regclass(%s)", (name,))[0]:
            connection.execute(f"alter table {parent} detach partition {name}".encode())
            connection.execute(f"drop table {name}".encode())

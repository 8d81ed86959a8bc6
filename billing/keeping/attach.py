"""Attach an archived month, so that the database has its calls again; and detach it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from billing.aggregates import keeping
from billing.aggregates.event import Envelope
from billing.aggregates.keeping import MonthArchived
from billing.commands.keeping import attach_month, detach_month, load_keeping
from billing.keeping.archive import archive_locked
from billing.keeping.archive_format import check, event_rows
from billing.keeping.exclusive import exclusive
from billing.keeping.keeper import Keeper, ReportProgress
from billing.keeping.months import partition_exists
from billing.log import positions
from billing.log.partitions import create_partition, partition_name
from billing.log.store import LOCK, Row, Store
from billing.projections import calls

CHUNK = 5_000
COPY = """
copy {partition} (notification_id, originator_id, originator_version, topic, state)
from stdin (format binary)"""
COPY_TYPES = ("int8", "text", "int8", "text", "bytea")
FORGET_CALLS = """
delete from call_list where started_at >= %(month)s::timestamptz
 and started_at < %(month)s::timestamptz + interval '1 month'"""
THERE = """
select exists (select from {partition} where notification_id between %s and %s)"""
EVENTS = """
select originator_id, originator_version, topic, state, notification_id from {partition}
where notification_id > %s and notification_id <= %s order by notification_id limit %s"""


def attach(
    keeper: Keeper, month: str, envelope: Envelope, progress: ReportProgress = lambda _: None
) -> None:
    """Load every part of an archived month and list its calls. Refused if it is not archived."""
    with exclusive(keeper.url, f"attach {month}", keeper.wait_seconds):
        state = load_keeping(keeper.store)
        keeping.attach_month(state, month)  # refuses before anything is done
        parts = state.parts_of(month)
        for part in parts:
            check(keeper.archives / part.file, ("archive",), part.sha256)
        _load(keeper, month, parts, progress)
        attach_month(keeper.store, month, envelope)


def _load(
    keeper: Keeper, month: str, parts: Sequence[MonthArchived], progress: ReportProgress
) -> None:
    """Load the events of files and list their calls in one transaction."""
    with psycopg.connect(keeper.url) as connection:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
            if not partition_exists(connection, month):
                create_partition(cursor, month)
        with connection.transaction(), connection.cursor() as cursor:
            # A killed attach may have loaded them; a killed archiving may not have dropped them.
            absent = [part for part in parts if not _is_there(cursor, part)]
            if not absent:
                return
            _copy(cursor, keeper.archives, month, absent)
            progress(0.4)
            total = sum(part.events for part in parts)
            _list_calls(
                cursor, keeper.store, month, lambda done: progress(0.4 + 0.6 * done / total)
            )


def _is_there(cursor: psycopg.Cursor[Any], part: MonthArchived) -> bool:
    statement = THERE.format(partition=partition_name(part.month)).encode()
    ((found,),) = cursor.execute(statement, (part.first_position, part.last_position)).fetchall()
    return bool(found)


def _copy(
    cursor: psycopg.Cursor[Any], folder: Path, month: str, parts: Sequence[MonthArchived]
) -> None:
    with cursor.copy(COPY.format(partition=partition_name(month)).encode()) as copy:
        copy.set_types(COPY_TYPES)
        for part in parts:
            for row in event_rows(folder / part.file):
                copy.write_row(row)


def _list_calls(
    cursor: psycopg.Cursor[Any], store: Store, month: str, progress: ReportProgress
) -> None:
    """List the calls of a month again; calls that came late may be listed already."""
    # PostgreSQL reads this bound in the time zone of the session.
    cursor.execute("set local time zone 'UTC'")
    until = positions.hold(cursor, "calls")
    cursor.execute(FORGET_CALLS, {"month": f"{month}-01"})
    statement = EVENTS.format(partition=partition_name(month)).encode()
    position = done = 0
    while rows := cursor.execute(statement, (position, until, CHUNK), binary=True).fetchall():
        calls.apply(cursor, [store.recorded(Row(*row)) for row in rows])
        position = rows[-1][-1]
        done += len(rows)
        progress(done)


def detach(
    keeper: Keeper, month: str, envelope: Envelope, progress: ReportProgress = lambda _: None
) -> None:
    """Drop an attached month again; events that came late go into another part."""
    with exclusive(keeper.url, f"detach {month}", keeper.wait_seconds) as connection:
        keeping.detach_month(load_keeping(keeper.store), month)
        # A killed detach may have dropped the month before the event was appended.
        if partition_exists(connection, month):
            archive_locked(connection, keeper, month, envelope, progress)
        detach_month(keeper.store, month, envelope)

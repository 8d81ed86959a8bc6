"""Attaching an archived month: back into the database, to be searched; and detaching it."""

from typing import Any

import psycopg

from billing.aggregates import keeping
from billing.aggregates.event import Envelope
from billing.commands.keeping import attach_month, detach_month, load_keeping
from billing.keeping.archive import archive
from billing.keeping.archive_format import check, event_rows
from billing.keeping.keeper import Keeper, ReportProgress
from billing.keeping.months import partition_exists
from billing.log import positions
from billing.log.sealing import create_partition, partition_name
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
EVENTS = """
select originator_id, originator_version, topic, state, notification_id from {partition}
where notification_id > %s and notification_id <= %s order by notification_id limit %s"""


def attach(
    keeper: Keeper, month: str, envelope: Envelope, progress: ReportProgress = lambda _: None
) -> None:
    """Load every part of an archived month, and list its calls again."""
    state = load_keeping(keeper.store)
    keeping.attach_month(state, month)  # refuses before anything is done
    parts = state.parts_of(month)
    for part in parts:
        check(keeper.archives / part.file, ("archive",), part.sha256)
    with psycopg.connect(keeper.url) as connection:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
            if not partition_exists(connection, month):
                create_partition(cursor, month)
        with connection.transaction(), connection.cursor() as cursor:
            with cursor.copy(COPY.format(partition=partition_name(month)).encode()) as copy:
                copy.set_types(COPY_TYPES)
                for part in parts:
                    for row in event_rows(keeper.archives / part.file):
                        copy.write_row(row)
            progress(0.4)
            total = sum(part.events for part in parts)
            _list_calls(
                cursor, keeper.store, month, lambda done: progress(0.4 + 0.6 * done / total)
            )
    attach_month(keeper.store, month, envelope)


def _list_calls(
    cursor: psycopg.Cursor[Any], store: Store, month: str, progress: ReportProgress
) -> None:
    """List the calls of a month anew: what came late may be on the list already."""
    # PostgreSQL reads this bound in the zone of the session.
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
    """Take an attached month out again; what came late goes into a further part."""
    keeping.detach_month(load_keeping(keeper.store), month)
    archive(keeper, month, envelope, progress)
    detach_month(keeper.store, month, envelope)

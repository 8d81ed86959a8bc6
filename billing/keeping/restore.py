"""Restoring: a full backup into an empty database, proved; or the calls of a period, where missing.

While it runs, the database is marked as partly restored, and nothing else works on it.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path

import msgspec
import psycopg

from billing.aggregates.event import Envelope
from billing.aggregates.keeping import MOST_MONTHS, CallsRestored
from billing.commands.keeping import note_backup
from billing.database import half_restored, migrate, migrations
from billing.keeping import archive_format
from billing.keeping.archive_format import END, Header, check, event_rows, frames
from billing.keeping.archived_events import archived_parts, open_store, split_missing
from billing.keeping.backup import ARCHIVE, CALLS, FULL, Manifest
from billing.keeping.exclusive import exclusive
from billing.keeping.gathering import stray_months
from billing.keeping.keeper import Keeper
from billing.keeping.new_files import restoring
from billing.keeping.table_dump import COLUMNS_OF, ROWS_OF, read_table
from billing.keeping.verifying import verify
from billing.log.partitions import create_partition
from billing.log.store import Pending, Row, Store
from billing.projections import projections
from billing.projections.runner import Runner
from billing.values import Refused

Tell = Callable[[str], None]
BATCH = 2_000
LOOKS = 30
WAIT_SECONDS = 3.0  # the lock of a killed restore is released a moment later
COPY = """
copy billing_events (notification_id, originator_id, originator_version, topic, state)
from stdin (format binary)"""
COPY_TYPES = ("int8", "text", "int8", "text", "bytea")
BEGIN = """
create table restoring (file text not null, began_at timestamptz not null default now());"""
OTHERS = """
select count(*) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
 and backend_type = 'client backend'"""
EMPTY = "drop schema public cascade; create schema public"
IN_USE = """
select exists (select from billing_events) or exists (select from administrator_credentials)"""
BALANCES = "select account, balance_micros from balances order by account"
SET_POSITION = "select setval('event_position', greatest(%s, 1))"


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What was checked in a restored database."""

    events: int
    seals: int
    accounts: int
    compared: bool  # equal to those of the backup; else the backup had none


def restore(url: str, file: Path, archives: Path, zone: str, tell: Tell = lambda _: None) -> Proof:
    """Restore a full backup into an empty database, and prove it.

    Refused for a database in use or with data, and for a file that is damaged, of another kind or
    of a newer program.
    """
    header = check(file, (FULL,))
    _refuse_newer(file, header)
    tell("The file is whole.")
    with exclusive(url, "restore", WAIT_SECONDS) as connection:
        _begin(connection, file)
        migrate(url, only=header.migrations)
        manifest = _load(url, file, header, archives)
        tell(f"{manifest.events} events were loaded.")
        migrate(url, only=migrations())
        proof = _prove(url, manifest, archives, zone, tell)
        connection.execute("drop table restoring")
    return proof


def _refuse_newer(file: Path, header: Header) -> None:
    known = migrations()
    for name, digest in header.migrations.items():
        if name not in known or hashlib.sha256(known[name].encode()).hexdigest() != digest:
            raise Refused(
                "The file %(file)s was made by a newer program (%(program)s).",
                file=file.name,
                program=f"{header.program}, {name}",
            )


def _begin(connection: psycopg.Connection, file: Path) -> None:
    """Refuse unless the database is empty, then mark it as partly restored."""
    _refuse_others(connection)
    if not half_restored(connection):
        ((migrated,),) = connection.execute("select to_regclass('billing_events')").fetchall()
        if migrated and connection.execute(IN_USE).fetchall() == [(True,)]:
            raise Refused("The database is not empty; nothing was changed.")
    with connection.transaction():
        connection.execute(EMPTY)
        connection.execute(BEGIN)
        connection.execute("insert into restoring (file) values (%s)", (str(file),))


def _refuse_others(connection: psycopg.Connection) -> None:
    for _ in range(LOOKS):  # connections of a killed program end a moment later
        if connection.execute(OTHERS).fetchall() == [(0,)]:
            return
        time.sleep(0.1)
    raise Refused("The database is in use. Stop the service first.")


def _load(url: str, file: Path, header: Header, archives: Path) -> Manifest:
    """Load every frame in one transaction; write the files of archives to their folder."""
    manifest = Manifest(events=-1)
    events, tables = 0, dict[str, int]()
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for month in _plausible_months(header):
            create_partition(cursor, month)
        columns: list[str] = []
        for name, group in groupby(frames(file), key=itemgetter(0)):
            blocks = (data for _, data in group)
            about = name.partition(":")[2]
            if name.startswith(COLUMNS_OF):
                columns = msgspec.json.decode(next(blocks), type=list[str])
                tables[about] = read_table(connection, about, columns, iter(()))
            elif name.startswith(ROWS_OF):
                tables[about] = read_table(connection, about, columns, blocks)
            elif name == "events":
                events += _load_events(cursor, blocks)
            elif name.startswith(ARCHIVE):
                _write_file(archives, about, blocks)
            elif name == END:
                manifest = msgspec.json.decode(next(blocks), type=Manifest)
        cursor.execute(SET_POSITION, (manifest.last_position,))
        if events != manifest.events or tables != manifest.tables:
            raise Refused("The file %(file)s does not have the rows it declares.", file=file.name)
    return manifest


def _plausible_months(header: Header) -> list[str]:
    """Return the months of a backup that get a partition; version 0.1 had one for any month."""
    made_at = datetime.fromisoformat(header.made_at)
    stray = set(stray_months(header.months, (), made_at, MOST_MONTHS))
    return [month for month in header.months if month not in stray]


def _load_events(cursor: psycopg.Cursor[object], blocks: Iterator[bytes]) -> int:
    count = 0
    with cursor.copy(COPY) as copy:
        copy.set_types(COPY_TYPES)
        for block in blocks:
            for row in archive_format.decode_events(block):
                copy.write_row(row)
                count += 1
    return count


def _write_file(folder: Path, name: str, blocks: Iterator[bytes]) -> None:
    if Path(name).name != name:
        raise Refused("There is no file %(file)s.", file=name)
    with restoring(folder / name) as out:
        for block in blocks:
            out.write(block)


def _prove(url: str, manifest: Manifest, archives: Path, zone: str, tell: Tell) -> Proof:
    """Check seals, counts and balances; Refused at the first difference."""
    verdict = verify(url, folder=archives)
    if verdict.fault:
        raise Refused("The restored log does not match its seals: %(fault)s.", fault=verdict.fault)
    tell(f"{verdict.seals} seals fit.")
    store = open_store(url, archives)
    with psycopg.connect(url) as connection:
        _, missing = split_missing(archived_parts(connection), archives)
    if missing:
        raise Refused(
            "To continue, put the files of these archived months into %(folder)s and "
            "restore again: %(months)s",
            folder=archives,
            months="; ".join(missing),
        )
    runner = Runner(url, store, projections(zone))
    try:
        runner.catch_up()
    finally:
        runner.close()
        store.close()
    with psycopg.connect(url) as connection:
        balances: dict[str, int] = dict(connection.execute(BALANCES).fetchall())
    if manifest.balances is not None and balances != manifest.balances:
        raise Refused("The balances of the restored database differ from those of the backup.")
    return Proof(
        events=verdict.events,
        seals=verdict.seals,
        accounts=len(balances),
        compared=manifest.balances is not None,
    )


def restore_calls(
    keeper: Keeper, file: Path, envelope: Envelope, tell: Tell = lambda _: None
) -> tuple[int, int]:
    """Append the events of a calls backup that the log lacks; return how many were read and added.

    Calls that are in the log or in an archive stay unchanged, so each is charged once.
    """
    check(file, (CALLS,))
    with exclusive(keeper.url, f"restore {file.name}", keeper.wait_seconds):
        read, missing = _append_missing(keeper.store, file, tell)
        event = CallsRestored(file=file.name, events=read, missing=missing)
        note_backup(keeper.store, event, envelope)
    return read, missing


def _append_missing(store: Store, file: Path, tell: Tell) -> tuple[int, int]:
    read = missing = 0
    rows = event_rows(file)
    while chunk := list(islice(rows, BATCH)):
        pending = []
        for position, stream, version, topic, state in chunk:
            recorded = store.recorded(Row(stream, version, topic, state, position))
            pending.append(Pending(stream, version, recorded.event, recorded.envelope))
        missing += sum(1 for at in store.append_new(store.encode(pending)) if at)
        read += len(chunk)
        tell(f"{read} events, {missing} were missing.")
    return read, missing

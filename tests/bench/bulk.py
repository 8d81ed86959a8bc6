"""Bulk figures: raw PostgreSQL, ingestion alone, projection alone, end to end."""

import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psycopg

from billing.commands.rate_groups import ChangeRates, change_rates
from billing.ingest.files import ingest_file
from billing.log.store import Store
from billing.projections import projections
from billing.projections.runner import Runner
from billing.rerating import steps
from billing.rerating.queue import CallSelection
from billing.rerating.worker import Worker
from tests.bench.installation import SAID, deck

ZONE = "Europe/Madrid"


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that a function takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def ingest(url: str, file: Path) -> float:
    """Return the seconds to read, rate and append a file."""
    store = Store(url)
    seconds = timed(
        lambda: ingest_file(
            store,
            file,
            device_id="pbx",
            record_format="native",
            envelope=SAID,
            progress=lambda *_: None,
        )
    )
    store.close()
    return seconds


@contextmanager
def running(url: str) -> Iterator[Runner]:
    """Return a runner with the projections of a database."""
    store = Store(url)
    runner = Runner(url, store, projections(ZONE))
    yield runner
    runner.close()
    store.close()


def project(url: str) -> float:
    """Return the seconds until every read model is up to date."""
    with running(url) as runner:
        return timed(runner.catch_up)


def rerate(url: str) -> tuple[float, float]:
    """Return the seconds to preview every call at new prices, and to apply the re-rating."""
    store = Store(url)
    dearer = tuple(
        msgspec.structs.replace(
            rate, tiers=(msgspec.structs.replace(rate.tiers[0], price="0.12345"),)
        )
        for rate in deck()
    )
    change_rates(store, ChangeRates(group_id="deck", rates=dearer), SAID)
    project(url)
    worker = Worker(url, store, threading.Event())
    request = steps.RequestCorrection(
        correction_id="bench", kind="rerate", selection=CallSelection()
    )
    steps.request(store, request, SAID)
    preview = timed(worker.work)
    applying = steps.ChangeCorrection(correction_id="bench", kind="rerate", what="applied")
    steps.change(store, applying, SAID)
    applied = timed(worker.work)
    worker.close()
    store.close()
    return preview, applied


def end_to_end(url: str, file: Path) -> float:
    """Return the seconds to ingest a file and project it, both at the same time."""
    ingestion = multiprocessing.Process(target=ingest, args=(url, file))
    with running(url) as runner:
        runner.catch_up()  # the installation
        begin = time.perf_counter()
        ingestion.start()
        while ingestion.is_alive():
            if not runner.step():
                time.sleep(0.005)  # at least as long as a NOTIFY takes to arrive
        ingestion.join()
        runner.catch_up()
        return time.perf_counter() - begin


def raw_copy(source: str, target: str, tables: tuple[str, ...]) -> float:
    """Return the seconds to COPY the rows of some tables into the same empty tables."""
    seconds = 0.0
    for table in tables:
        with tempfile.TemporaryFile() as file:
            columns = _columns(source, table)
            with psycopg.connect(source) as connection, connection.cursor() as cursor:
                statement = f"copy (select {columns} from {table}) to stdout (format binary)"
                with cursor.copy(statement.encode()) as out:
                    for block in out:
                        file.write(block)
            file.seek(0)
            seconds += timed(lambda: _copy_in(target, table, columns, file))  # noqa: B023 -- run at once
    return seconds


def _columns(url: str, table: str) -> str:
    with psycopg.connect(url) as connection:
        cursor = connection.execute(f"select * from {table} limit 0".encode())
        return ", ".join(column.name for column in cursor.description or ())


def _copy_in(url: str, table: str, columns: str, file: object) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        with cursor.copy(f"copy {table} ({columns}) from stdin (format binary)".encode()) as into:
            while block := file.read(1 << 20):  # type: ignore[attr-defined] # a temporary file
                into.write(block)
        connection.commit()


def copy_partitions(source: str, target: str) -> None:
    """Create the month partitions of the source in the target."""
    with psycopg.connect(source) as connection:
        found = connection.execute(
            "select child.relname, parent.relname, pg_get_expr(child.relpartbound, child.oid)"
            " from pg_inherits join pg_class as child on inhrelid = child.oid"
            " join pg_class as parent on inhparent = parent.oid"
            " where parent.relname in ('billing_events', 'call_list') and child.relkind = 'r'"
        ).fetchall()
    with psycopg.connect(target, autocommit=True) as connection:
        for child, parent, bound in found:
            if bound != "DEFAULT":
                connection.execute(f"create table {child} partition of {parent} {bound}".encode())

"""Measures keeping: archive, attach, detach, back up and restore one month of calls.

`python -m tests.bench.keeping`; BENCH_RECORDS sets the number of calls.
"""

import os
import random
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from billing.aggregates.event import Envelope
from billing.cli.demo import synthetic_lines
from billing.commands.keeping import load_keeping
from billing.database.embedded import EmbeddedServer
from billing.interpreter import tune
from billing.keeping import backup
from billing.keeping.archive import archive
from billing.keeping.archived_events import open_store
from billing.keeping.attach import attach, detach
from billing.keeping.keeper import Keeper
from billing.keeping.restore import restore
from billing.keeping.shortening import shorten
from billing.keeping.verifying import verify
from billing.policies.closing import close_books
from billing.projections import projections
from billing.projections.runner import Runner
from tests.bench import bulk, installation

RECORDS = int(os.environ.get("BENCH_RECORDS", "1000000"))
MONTH = "2026-10"
LATER = Envelope(recorded_at=datetime(2027, 1, 5, tzinfo=UTC), actor="system", address="bench")


def main() -> int:
    """Measure on a separate embedded server."""
    tune()
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)  # started by root, the server runs as another user
        folder = Path(name)
        server = EmbeddedServer(folder / "data")
        with (
            installation.database(server.url, "bench_one") as one,
            installation.database(server.url, "bench_two") as two,
        ):
            measure(one, two, folder)
        server.stop()
    return 0


def measure(one: str, two: str, folder: Path) -> None:
    """Take all figures of one month of calls."""
    lines = synthetic_lines(
        random.Random(7),  # noqa: S311 -- repeatable, not secret
        RECORDS,
        begin=installation.BEGIN,
        end=installation.BEGIN + timedelta(days=28),
        extensions=installation.EXTENSIONS,
        country="ES",
    )
    with (folder / "records.ndjson").open("wb") as file:
        file.writelines(lines)
    installation.install(one)
    bulk.ingest(one, folder / "records.ndjson")
    store = open_store(one, folder / "archives")
    keeper = Keeper(one, store, folder / "archives", folder / "backups")
    runner = Runner(one, store, projections(bulk.ZONE))
    runner.catch_up()
    with psycopg.connect(one, autocommit=True) as connection:
        while close_books(connection, store, LATER.recorded_at):
            runner.catch_up()
        ((size,),) = connection.execute("select pg_database_size(current_database())").fetchall()
        print(f"{RECORDS:,} calls of one month; the database {size / 1e9:.2f} GB", flush=True)

        told("verify", lambda: verify(one, folder=keeper.archives))
        told("full backup", lambda: backup.back_up(keeper, LATER, path=folder / "full.backup"))
        sized("its file", folder / "full.backup")
        told("numbers shortened, vacuumed", lambda: shorten(keeper, MONTH, LATER))
        told("the read models follow", runner.catch_up)
        told("verify what was shortened", lambda: verify(one, folder=keeper.archives))
        told("archive, check, drop", lambda: archive(keeper, MONTH, LATER))
        (part,) = load_keeping(store).parts
        sized("its file", keeper.archives / part.file)
        ((size,),) = connection.execute("select pg_database_size(current_database())").fetchall()
        print(f"  {'the database without the month':<46}{size / 1e6:>10,.0f} MB", flush=True)
        told("verify with the file", lambda: verify(one, folder=keeper.archives))
        runner.catch_up()
        told("rebuild balances from the file", lambda: rebuilt(runner, "balances"))
        told("attach, listed again", lambda: attach(keeper, MONTH, LATER))
        runner.catch_up()
        told("detach", lambda: detach(keeper, MONTH, LATER))
        told("restore, proved (seals, counts, balances)", lambda: restored(two, folder))
    runner.close()
    store.close()


def restored(url: str, folder: Path) -> None:
    restore(url, folder / "full.backup", folder / "elsewhere", bulk.ZONE)


def rebuilt(runner: Runner, name: str) -> None:
    runner.rebuild(name)
    runner.catch_up()


def told(name: str, work: Callable[[], object]) -> None:
    """Return a line with the seconds."""
    print(f"  {name:<46}{bulk.timed(work):>10,.1f} s", flush=True)


def sized(name: str, path: Path) -> None:
    """Return a line with the size of a file."""
    print(f"  {name:<46}{path.stat().st_size / 1e6:>10,.0f} MB", flush=True)


if __name__ == "__main__":
    sys.exit(main())

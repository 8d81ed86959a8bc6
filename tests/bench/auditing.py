"""Figures of an auditor's work: a replay next to the raw read of the same rows, a first page.

Alone it measures the evidence of an account: python -m tests.bench.auditing.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import httpx
import msgspec
import psycopg

from billing.database.embedded import EmbeddedServer
from billing.log.store import Store
from billing.queries.history import read_history
from billing.queries.replay import replay
from tests.bench import bulk, exporting, installation
from tests.web import serving

ACCOUNT = "company:acme"
EVIDENCE = int(os.environ.get("BENCH_EVIDENCE", "200000"))  # calls of the account
KINDS = ("ndjson", "xlsx")
PAGES = 40
ROWS = """
select originator_id, originator_version, notification_id, topic, state from billing_events
where position('"payer":"company:acme"'::bytea in state) > 0"""


def read_raw(url: str) -> float:
    """Return the seconds to fetch the rows of the account's calls and do nothing with them."""
    with psycopg.connect(url) as connection, connection.cursor("raw", binary=True) as cursor:
        cursor.itersize = 5_000
        begin = time.perf_counter()
        cursor.execute(ROWS.encode())
        for _ in cursor:
            pass
        return time.perf_counter() - begin


def replay_account(url: str) -> tuple[float, int]:
    """Return the seconds to recompute the account's balance, and the number of its events."""
    store = Store(url)
    with psycopg.connect(url, autocommit=True) as connection:
        begin = time.perf_counter()
        *_, progress = replay(connection, store, ACCOUNT)
        seconds = time.perf_counter() - begin
    store.close()
    if not progress.equal:
        raise RuntimeError(f"{progress.balance_micros} is not {progress.shown_micros}")
    return seconds, progress.events


def first_page(url: str) -> float:
    """Return the median seconds for the first page of the account's history."""
    store = Store(url)
    seconds = []
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(PAGES):
            begin = time.perf_counter()
            read_history(connection, store, ACCOUNT, size=50)
            seconds.append(time.perf_counter() - begin)
    store.close()
    return sorted(seconds)[PAGES // 2]


class Evidence(msgspec.Struct, frozen=True):
    """The time and the memory of the evidence of an account."""

    seconds: float
    file_megabytes: float
    before_megabytes: float  # peak of the process before the request
    peak_megabytes: float


def evidence(url: str, folder: Path) -> dict[str, Evidence]:
    """Download the evidence of the account in each format, each from a new process."""
    serving.add_administrator(url)
    found = {}
    for kind in KINDS:
        with exporting.pages(url, folder) as (process, address):
            headers = {"origin": address, "accept-language": "en"}
            with httpx.Client(base_url=address, headers=headers, timeout=600) as client:
                client.post("/sign-in", data={"name": "marta", "password": serving.PASSWORD})
                client.get(f"/accounts/{ACCOUNT}/history")
                before, begin = exporting.peak(process.pid), time.perf_counter()
                path = f"/accounts/{ACCOUNT}/evidence.{kind}"
                size = exporting.take(client, path, folder / f"evidence.{kind}")
                seconds = time.perf_counter() - begin
                found[kind] = Evidence(seconds, size / 1e6, before, exporting.peak(process.pid))
    return found


def main() -> int:
    """Ingest the calls of one account and download its evidence."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o711)  # started by root the server runs as another user
        folder = Path(place)
        server = EmbeddedServer(folder / "data")
        with installation.database(server.url, "bench_evidence") as url:
            installation.write_records(folder / "records.ndjson", EVIDENCE)
            installation.install(url)
            bulk.ingest(url, folder / "records.ndjson")
            bulk.project(url)
            for kind, made in evidence(url, folder).items():
                print(f"{kind}: {made}")
        server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())

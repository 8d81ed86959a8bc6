"""Run every measurement once; print absolute figures and ratios."""

import multiprocessing
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from billing.database.embedded import EmbeddedServer
from billing.interpreter import tune
from tests.bench import auditing, bulk, clients, decks, exporting, installation

RECORDS = int(os.environ.get("BENCH_RECORDS", "300000"))
SINGLES = 10_000


def row(name: str, seconds: float, count: int, limit: float = 0.0) -> None:
    """Return a line: the rate, and its share of the raw limit."""
    share = f"{limit / seconds:6.0%} of raw" if limit else ""
    print(f"  {name:<46}{count / seconds:>10,.0f} /s  {share}", flush=True)


def main() -> int:
    """Measure; DATABASE_URL names a server to use instead of an embedded one."""
    tune()  # as the command does
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)  # started by root, the server runs as another user
        given = os.environ.get("DATABASE_URL")
        server = None if given else EmbeddedServer(Path(folder) / "data")
        url = given or server.url  # type: ignore[union-attr] # one of them is set
        measure(url, Path(folder) / "records.ndjson")
        if server:
            server.stop()
    return 0


def measure(server_url: str, file: Path) -> None:
    """Take all figures, on separate databases of one server."""
    installation.write_records(file, RECORDS)
    size = file.stat().st_size / RECORDS
    print(f"{RECORDS:,} records of {size:.0f} bytes, a deck of {installation.PREFIXES:,} prefixes")
    with (
        installation.database(server_url, "bench_one") as one,
        installation.database(server_url, "bench_raw") as raw,
    ):
        installation.install(one)
        bulk.project(one)  # the prices, which are not measured
        ingested = bulk.ingest(one, file)
        projected = bulk.project(one)
        bulk.copy_partitions(one, raw)
        raw_log = bulk.raw_copy(one, raw, ("billing_events",))
        raw_list = bulk.raw_copy(one, raw, ("call_list", "daily_usage"))
        row("raw COPY into the log", raw_log, RECORDS)
        row("raw COPY into the read models", raw_list, RECORDS)
        row("ingestion alone (read, rate, append)", ingested, RECORDS, raw_log)
        row("the same file again (all duplicates)", bulk.ingest(one, file), RECORDS)
        row("projection alone (seven read models)", projected, RECORDS, raw_list)
        replayed, events = auditing.replay_account(one)
        row("replay of an account from the log", replayed, events, auditing.read_raw(one))
        print(f"  {'first page of its history':<46}{auditing.first_page(one) * 1000:>10.1f} ms")
        for kind, taken in auditing.evidence(one, file.parent).items():
            row(f"evidence of an account, {kind}", taken.seconds, events)
            told = f"{taken.file_megabytes:.0f} MB, memory {taken.before_megabytes:.0f}"
            print(f"  {'':<46}{told} to {taken.peak_megabytes:.0f} MB", flush=True)
        preview, applied = bulk.rerate(one)
        row("re-rating: preview of every call", preview, RECORDS)
        row("re-rating: applied, each with a new price", applied, RECORDS, raw_log)
        row("re-rating: projected", bulk.project(one), RECORDS, raw_list)
    with installation.database(server_url, "bench_two") as two:
        installation.install(two)
        row("end to end", bulk.end_to_end(two, file), RECORDS, raw_log + raw_list)
    with installation.database(server_url, "bench_decks") as fourth:
        installation.install(fourth)
        bulk.ingest(fourth, file)  # last month's calls, 50,000 of which are rated by both prices
        bulk.project(fourth)
        # In a new process: the memory of this one would count as the peak of its children.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
            measured = fresh.submit(decks.measure, fourth).result()
        for name, seconds, count in measured.rows:
            row(name, seconds, count)
        print(f"  {'most memory of a process for them':<46}{measured.megabytes:>10,.0f} MB")
    with installation.database(server_url, "bench_exports") as fifth:
        for kind, made in exporting.export(fifth, file.parent).items():
            row(f"calls exported in the background, {kind}", made.seconds, made.rows)
            told = f"{made.seconds:.1f} s, {made.file_megabytes:.0f} MB"
            print(f"  {'':<46}{told}, most memory {made.peak_megabytes:.0f} MB", flush=True)
    with installation.database(server_url, "bench_three") as three:
        installation.install(three)
        seconds, waits = clients.post_singles(three, file, SINGLES)
        row(f"{clients.CLIENTS} clients, single records, acknowledged", seconds, SINGLES)
        p50, p99 = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
        print(f"  {'':<46}p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms")


if __name__ == "__main__":
    sys.exit(main())

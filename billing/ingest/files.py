"""`billing ingest FILE`: appends the records of a whole file, in batches.

A repeated or resumed import is harmless: committed records are recognised by their keys.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import msgspec

from billing.aggregates.event import Envelope
from billing.commands.calls import Receipt, SubmitCalls, commit, prepare
from billing.commands.catalogue import Catalogue
from billing.interpreter import freeze_heap
from billing.log.store import Store
from billing.rating.cdr import CallRecord
from billing.reading import profile_of, read_file

BATCH = 2_000  # records in one append
AHEAD = 3  # rated batches waiting for the commit
ReportIngested = Callable[[float, Counter[str]], None]  # share of the file read, counts by status


def ingest_file(
    store: Store,
    path: Path,
    *,
    device_id: str,
    record_format: str,
    envelope: Envelope,
    progress: ReportIngested,
    history_from: str = "",
) -> Counter[str]:
    """Ingest a file; return the number of records read and of each status.

    Batches are rated while earlier ones are committed.
    `history_from` is the first month that is loaded on purpose, however old it is (Store.encode).
    """
    catalogue = Catalogue()
    catalogue.refresh(store)
    freeze_heap()
    profile = profile_of(catalogue.registration(device_id))
    if record_format != "auto":
        profile = msgspec.structs.replace(profile, format=record_format)
    counts: Counter[str] = Counter()
    with path.open("rb") as file, ThreadPoolExecutor(1, "commit") as writer:
        records = read_file(file, profile=profile, received_at=envelope.recorded_at)
        size = path.stat().st_size or 1
        waiting: deque[Future[list[Receipt]]] = deque()
        shown = time.monotonic()
        for batch in _batches(records):
            command = SubmitCalls(device_id=device_id, records=batch, envelope=envelope)
            encoded = store.encode(prepare(catalogue, command), history_from)
            if len(waiting) == AHEAD:
                _count(counts, waiting.popleft())
            waiting.append(writer.submit(commit, store, catalogue, encoded))
            if time.monotonic() - shown > 0.2:  # noqa: PLR2004 -- five times a second
                shown = time.monotonic()
                progress(file.tell() / size, counts)
        for committing in waiting:
            _count(counts, committing)
    progress(1.0, counts)
    return counts


def _batches(records: Iterator[CallRecord]) -> Iterator[list[CallRecord]]:
    while batch := list(islice(records, BATCH)):
        yield batch


def _count(counts: Counter[str], committing: Future[list[Receipt]]) -> None:
    receipts = committing.result()
    counts["read"] += len(receipts)
    counts.update(receipt.status for receipt in receipts)

"""Group commit: the records of many requests go into the log in one append.

A single writer thread takes whatever is waiting, up to MOST records, and commits it; while it
commits, the next batch gathers by itself. An idle system therefore answers at once, a busy one
makes large batches, and no timer is needed.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

from billing.commands.calls import Receipt, SubmitCalls, submit
from billing.commands.catalogue import Catalogue
from billing.store import Store

MOST = 2_000  # records in one append: beyond it an append gains nothing (docs/architecture.md)
WAITING = 1_000  # submissions that may wait; the next is told to come again


class Busy(Exception):  # noqa: N818 -- an answer to the sender, not a fault
    """Too many submissions wait already."""


Waiting = tuple[SubmitCalls, "Future[list[Receipt]]"]


class Batcher:
    """The one writer of a process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._catalogue = Catalogue()
        self._queue: queue.Queue[Waiting | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="writer")

    def start(self) -> None:
        """Read the catalogue and begin to write. Blocks while it reads."""
        self._catalogue.refresh(self._store)
        self._thread.start()

    def close(self) -> None:
        """Write what waits, then end."""
        self._queue.put(None)
        self._thread.join()

    async def submit(self, make: Callable[[Catalogue], SubmitCalls]) -> list[Receipt]:
        """Receipts of a submission, once it is committed. Raises Busy, or what the append raised.

        `make` reads the records; it runs here, on the event loop, before the writer's turn.
        """
        waiting: Future[list[Receipt]] = Future()
        try:
            self._queue.put_nowait((make(self._catalogue), waiting))
        except queue.Full as error:
            raise Busy from error
        return await asyncio.wrap_future(waiting)

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, ending = self._gather(first)
            self._write(batch)
            if ending:
                return

    def _gather(self, first: Waiting) -> tuple[list[Waiting], bool]:
        batch, records = [first], len(first[0].records)
        while records < MOST:
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                break
            if following is None:
                return batch, True
            batch.append(following)
            records += len(following[0].records)
        return batch, False

    def _write(self, batch: list[Waiting]) -> None:
        live = [each for each in batch if each[1].set_running_or_notify_cancel()]
        try:
            receipts = submit(self._store, self._catalogue, [command for command, _ in live])
        except Exception as error:  # noqa: BLE001 -- whatever it was, each sender must hear of it
            for _, waiting in live:
                waiting.set_exception(error)
            return
        for (_, waiting), receipt in zip(live, receipts, strict=True):
            waiting.set_result(receipt)

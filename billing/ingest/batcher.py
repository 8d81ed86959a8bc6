"""Group commit: the records of many requests go into the log in one append.

A single writer thread takes whatever is waiting, up to MOST records, and commits it; while it
commits, the next batch gathers by itself. An idle system therefore answers at once, a busy one
makes large batches, and no timer is needed.
"""

import asyncio
import queue
import threading
import time
from concurrent.futures import Future

import msgspec

from billing.commands.calls import Receipt, SubmitCalls, submit
from billing.commands.catalogue import Catalogue
from billing.commands.device_book import Registration
from billing.interpreter import keep_for_good
from billing.log.store import Store
from billing.values import Refused

MOST = 2_000  # records in one append: beyond it an append gains nothing
FRESH_SECONDS = 1.0  # how long a device is believed to be as the catalogue has it
WAITING = 1_000  # submissions that may wait; the next is told to come again


class Busy(Exception):  # noqa: N818 -- an answer to the sender, not a fault
    """Too many submissions wait already."""


class Waiting(msgspec.Struct):
    """A submission in the queue; without one, somebody waits for a fresh catalogue only."""

    command: SubmitCalls | None
    receipts: "Future[list[Receipt]]"

    @property
    def records(self) -> int:
        """How many records it adds to a batch."""
        return len(self.command.records) if self.command else 0


class Batcher:
    """The one writer of a process; the catalogue is its thread's, others read registrations."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._catalogue = Catalogue()
        self._queue: queue.Queue[Waiting | None] = queue.Queue(WAITING)
        self._refreshed_at = 0.0
        self._thread = threading.Thread(target=self._run, name="writer")

    def start(self) -> None:
        """Read the catalogue and begin to write. Blocks while it reads."""
        self._catalogue.refresh(self._store)
        keep_for_good()
        self._thread.start()

    def close(self) -> None:
        """Write what waits, then end."""
        self._queue.put(None)
        self._thread.join()

    async def registration(self, device_id: str, address: str) -> Registration:
        """How the records of a device are to be read.

        Raises Refused for one that may not submit, or not from this IP address; or Busy.
        """
        if time.monotonic() - self._refreshed_at > FRESH_SECONDS:
            await self._enqueue(None)  # it may have been changed in the meantime
        try:
            self._catalogue.devices.refuse_unless_admitted(device_id, address)
            return self._catalogue.registration(device_id)
        except Refused:
            await self._enqueue(None)  # or been registered or enabled a moment ago
        self._catalogue.devices.refuse_unless_admitted(device_id, address)
        return self._catalogue.registration(device_id)

    async def submit(self, command: SubmitCalls) -> list[Receipt]:
        """What became of each record, once committed. Raises Busy, or what the append raised."""
        return await self._enqueue(command)

    async def _enqueue(self, command: SubmitCalls | None) -> list[Receipt]:
        waiting = Waiting(command, Future())
        try:
            self._queue.put_nowait(waiting)
        except queue.Full as error:
            raise Busy from error
        return await asyncio.wrap_future(waiting.receipts)

    def _run(self) -> None:
        ending = False
        while not ending:
            batch, ending = self._gather()
            self._write(batch)

    def _gather(self) -> tuple[list[Waiting], bool]:
        """What waits, up to MOST records; and whether it is the last."""
        batch: list[Waiting] = []
        records = 0
        following = self._queue.get()
        while following is not None:
            batch.append(following)
            records += following.records
            if records >= MOST:
                return batch, False
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _write(self, batch: list[Waiting]) -> None:
        live = [each for each in batch if each.receipts.set_running_or_notify_cancel()]
        commands = [each.command for each in live if each.command]
        self._refreshed_at = time.monotonic()
        try:
            receipts = iter(submit(self._store, self._catalogue, commands))
        except Exception as error:  # noqa: BLE001 -- whatever it was, each sender must hear of it
            for each in live:
                each.receipts.set_exception(error)
            return
        for each in live:
            each.receipts.set_result(next(receipts) if each.command else [])

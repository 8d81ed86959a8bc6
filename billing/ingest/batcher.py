"""Group commit: the records of many requests are appended to the log together.

A single writer thread takes all waiting submissions, up to MOST records, and commits them;
in the meantime the next batch collects. So an idle system answers immediately, a busy one makes
large batches, and no timer is needed.

A commit may wait hours for a standby that is away. It is never cancelled: the writer waits, and the
senders get 503, because nothing is stored for sure (docs/decisions/0130).
"""

import asyncio
import math
import queue
import threading
import time
from concurrent.futures import Future
from contextlib import suppress

import msgspec

from billing.commands.calls import Receipt, SubmitCalls, submit
from billing.commands.catalogue import Catalogue
from billing.commands.device_book import Registration
from billing.interpreter import freeze_heap
from billing.log.store import Store
from billing.values import Refused

MOST = 2_000  # records per append; more gain nothing
FRESH_SECONDS = 1.0  # longest time without refreshing the catalogue
WAITING = 1_000  # submissions that may wait; further ones get Busy
ANSWER_SECONDS = 5.0  # then the answer is 503
CLOSE_SECONDS = 2.0  # for what is being written when the process ends


class Busy(Exception):  # noqa: N818 -- a response to the sender, not an error of ours
    """Too many submissions are waiting, or the writer waits for a commit, or the database left."""

    def __init__(self, told: str = "Not stored. Send it again.") -> None:
        super().__init__(told)


class Waiting(msgspec.Struct):
    """A submission in the queue; without a command it only requests a refresh of the catalogue."""

    command: SubmitCalls | None
    receipts: "Future[list[Receipt]]"

    @property
    def records(self) -> int:
        """Number of records that it adds to a batch."""
        return len(self.command.records) if self.command else 0


class Batcher:
    """The single writer of a process. Its thread owns the catalogue; others read registrations."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._catalogue = Catalogue()
        self._queue: queue.Queue[Waiting | None] = queue.Queue(WAITING)
        self._refreshed_at = 0.0
        self._writing_since = math.inf
        self._patiences: set[asyncio.Timeout] = set()
        # A daemon: its last commit may never end.
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        """Read the catalogue and start the writer. Blocks while reading."""
        self._catalogue.refresh(self._store)
        freeze_heap()
        self._thread.start()

    def close(self) -> None:
        """Write what is waiting, then stop; not longer than a few seconds."""
        with suppress(queue.Full):
            self._queue.put(None, timeout=CLOSE_SECONDS)
            self._thread.join(CLOSE_SECONDS)

    def give_up(self) -> None:
        """Answer all that wait: the database has gone away. Call it in the event loop."""
        now = asyncio.get_running_loop().time()
        for patience in self._patiences:
            if not patience.expired():
                patience.reschedule(now)

    @property
    def is_stuck(self) -> bool:
        """Whether the writer has been at one commit for longer than anybody is let wait."""
        return time.monotonic() - self._writing_since > ANSWER_SECONDS

    async def registration(self, device_id: str, ip: str) -> Registration:
        """Return the settings to parse a device's records.

        Raises Refused if the device may not submit, or not from this IP address; or Busy.
        """
        if time.monotonic() - self._refreshed_at > FRESH_SECONDS:
            await self._enqueue(None)  # the device may have changed
        try:
            self._catalogue.devices.refuse_unless_admitted(device_id, ip)
            return self._catalogue.registration(device_id)
        except Refused:
            await self._enqueue(None)  # the device may be new or enabled again
        self._catalogue.devices.refuse_unless_admitted(device_id, ip)
        return self._catalogue.registration(device_id)

    async def submit(self, command: SubmitCalls) -> list[Receipt]:
        """Return a receipt for each record, once committed.

        Raises Busy, or what the append raised.
        """
        return await self._enqueue(command)

    async def _enqueue(self, command: SubmitCalls | None) -> list[Receipt]:
        if self.is_stuck:
            raise Busy
        waiting = Waiting(command, Future())
        try:
            self._queue.put_nowait(waiting)
        except queue.Full as error:
            raise Busy from error
        patience = asyncio.timeout(ANSWER_SECONDS)
        try:
            async with patience:
                self._patiences.add(patience)
                return await asyncio.wrap_future(waiting.receipts)
        except TimeoutError as error:  # what the writer has not begun is dropped from the queue
            raise Busy("It is not known to be stored. Send it again.") from error
        finally:
            self._patiences.discard(patience)

    def _run(self) -> None:
        ending = False
        while not ending:
            batch, ending = self._gather()
            self._write(batch)

    def _gather(self) -> tuple[list[Waiting], bool]:
        """Return the waiting submissions, up to MOST records; and whether to stop after them."""
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
        self._refreshed_at = self._writing_since = time.monotonic()
        try:
            receipts = iter(submit(self._store, self._catalogue, commands))
        except Exception as error:  # noqa: BLE001 -- each sender must get the error
            for each in live:
                each.receipts.set_exception(error)
            return
        finally:
            self._writing_since = math.inf
        for each in live:
            each.receipts.set_result(next(receipts) if each.command else [])

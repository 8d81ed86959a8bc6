"""Whether an append is possible now, found out by what one does: the lock, space, a commit."""

import asyncio
import threading
import time

import psycopg

from billing.database.pulse import Watched
from billing.log.durability import WRITE_NOTHING, durable

BOUND_SECONDS = 1.2
FRESH_SECONDS = 0.5  # an answer is repeated for so long
LATE = f"an append takes longer than {BOUND_SECONDS} s"
# Rows that don't fit into memory go to the disk that the tables are on, and are gone at the end.
IN_LITTLE_MEMORY = """
select set_config('work_mem', '64kB', true), set_config('temp_tablespaces', '', true)"""
TAKE_SPACE = "select count(*) from generate_series(1, 60000)"


def rehearse(url: str) -> None:
    """Do what an append does, and store nothing. Raises what that raises; waits as long as that."""
    with Watched.connect(url, autocommit=True) as connection, durable(connection):
        connection.execute(IN_LITTLE_MEMORY)
        connection.execute(TAKE_SPACE)
        connection.execute(WRITE_NOTHING)


class Rehearsal:
    """For `/readyz`. One rehearsal at a time, in a thread, because it may never end."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._told = ""
        self._told_at = float("-inf")
        self._running: asyncio.Future[str] | None = None

    async def problem(self) -> str:
        """Why nothing can be appended; "" if it can. Within BOUND_SECONDS."""
        if time.monotonic() - self._told_at > FRESH_SECONDS:
            if self._running is None or self._running.done():
                self._running = self._begin()
            done, _ = await asyncio.wait({self._running}, timeout=BOUND_SECONDS)
            self._told = self._running.result() if done else LATE
            self._told_at = time.monotonic()
        return self._told

    def _begin(self) -> "asyncio.Future[str]":
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()

        def run() -> None:
            try:
                rehearse(self._url)
                told = ""
            except psycopg.Error as error:
                # What says where the database is, is nobody's business who may ask.
                told = error.diag.message_primary or "the database does not answer"
            if not loop.is_closed():
                loop.call_soon_threadsafe(answer.set_result, told)

        threading.Thread(target=run, name="rehearsal", daemon=True).start()
        return answer

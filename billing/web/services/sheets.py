"""Uploaded sheets are read by processes of their own, a few at a time, and never hold a page."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

from billing.sheets import MOST_ROWS, Row, SheetReading

AT_ONCE = 2  # each may take half a gigabyte; a third waits
T = TypeVar("T")


class Sheets:
    """Threads that wait for the readers: not those that other pages wait for."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, "sheets")
        self._open: set[SheetReading] = set()

    async def read(
        self,
        source: bytes | Path,
        file_name: str,
        use: Callable[[Iterator[Row]], T],
        most_rows: int = MOST_ROWS,
    ) -> T:
        """Return what `use` makes of the rows; it runs in a thread. Raises Refused."""

        def work() -> T:
            with SheetReading(source, file_name, most_rows=most_rows) as reading:
                self._open.add(reading)
                try:
                    return use(reading.rows())
                finally:
                    self._open.discard(reading)

        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def first_rows(self, content: bytes, file_name: str, count: int) -> list[Row]:
        """Return the top of a sheet. Raises Refused."""
        return await self.read(content, file_name, lambda rows: list(islice(rows, count)))

    def close(self) -> None:
        """End the processes; what waits is given up."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for reading in tuple(self._open):
            reading.stop()

"""Spreadsheets in progress: each is written to a file in a thread, and kept for a day."""

import asyncio
import logging
import secrets
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

MOST_JOBS = 2  # that write at a time
MOST_KEPT = 20  # for each owner (web/kit/reach.py)
KEPT = timedelta(hours=24)
logger = logging.getLogger(__name__)


class RowWriter(Protocol):
    """Writes the rows of a list to a file. Blocks."""

    def add(self, rows: Sequence[Any]) -> None:
        """Write some rows."""

    def finish(self, facts: Sequence[tuple[str, str]]) -> None:
        """Write the facts about the list, and close the file."""


class Job:
    """A spreadsheet in progress."""

    def __init__(self, owner: str, path: Path, file_name: str, expected: int) -> None:
        self.id = secrets.token_urlsafe(12)
        self.owner = owner
        self.path = path
        self.file_name = file_name
        self.expected = expected  # number of rows; 0 if unknown
        self.rows = 0
        self.state = "running"  # running, done, failed
        self.task: asyncio.Task[None] | None = None
        self.begun_at = datetime.now(UTC)

    @property
    def kept_until(self) -> datetime:
        """When the file will be removed."""
        return self.begun_at + KEPT


Make = Callable[[Job], Awaitable[None]]  # writes the file of a job


class Exports:
    """The spreadsheets of all administrators; the files are removed when the service stops."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="contarifa-exports-")
        self._slots = asyncio.Semaphore(MOST_JOBS)
        self._jobs: dict[str, Job] = {}

    def find(self, job_id: str, owner: str) -> Job | None:
        """Return a job of this owner (web/kit/reach.py)."""
        job = self._jobs.get(job_id)
        return job if job and job.owner == owner else None

    def of(self, owner: str) -> list[Job]:
        """Return the jobs of this owner, newest first."""
        self._forget_old()
        return self._own(owner)[::-1]

    def running(self, owner: str) -> Job | None:
        """Return the running job of this owner, who may have one at a time."""
        return next((job for job in self.of(owner) if job.state == "running"), None)

    def begin(self, job: Job, make: Make) -> asyncio.Task[None]:
        """Start to make a spreadsheet; the job has its state."""
        self._forget_old()
        for old in self._own(job.owner)[: 1 - MOST_KEPT]:
            self._forget(old)
        self._jobs[job.id] = job
        job.task = asyncio.create_task(self._run(job, make))
        return job.task

    def new_path(self) -> Path:
        """Return the path of the next file."""
        return Path(self._folder.name) / f"{secrets.token_hex(8)}.xlsx"

    async def close(self) -> None:
        """Stop running jobs and remove every file."""
        tasks = [job.task for job in self._jobs.values() if job.task and not job.task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._folder.cleanup)

    async def _run(self, job: Job, make: Make) -> None:
        try:
            async with self._slots:
                await make(job)
            job.state = "done"
        except Exception:
            logger.exception("The export %s failed.", job.id)
            job.state = "failed"

    def _own(self, owner: str) -> list[Job]:
        return [job for job in self._jobs.values() if job.owner == owner]

    def _forget_old(self) -> None:
        now = datetime.now(UTC)
        for job in list(self._jobs.values()):
            if job.kept_until < now:
                self._forget(job)

    def _forget(self, job: Job) -> None:
        if job.state != "running":
            del self._jobs[job.id]
            job.path.unlink(missing_ok=True)


async def write_rows(
    job: Job,
    pages: AsyncGenerator[list[Any], None],
    open_writer: Callable[[], RowWriter],
    facts: Sequence[tuple[str, str]],
) -> None:
    """Write rows to the file of a job; the next rows are read while these are written."""
    writer = await asyncio.to_thread(open_writer)
    writing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    writing.set_result(None)
    async with aclosing(pages) as read:
        async for rows in read:
            await writing
            writing = asyncio.ensure_future(asyncio.to_thread(writer.add, rows))
            job.rows += len(rows)
    await writing
    await asyncio.to_thread(writer.finish, facts)


def counted(job: Job, rows: Iterable[Any]) -> Iterator[Any]:
    """Yield the rows, and count each as progress of the job."""
    for row in rows:
        job.rows += 1
        yield row


def in_thread(write: Callable[[Job], None]) -> Make:
    """Return a function that makes a file by a blocking function."""

    async def make(job: Job) -> None:
        await asyncio.to_thread(write, job)

    return make

"""Files in progress: each is written to the disk, sent from there, and kept for a day.

A file that waits for its reader uses space on the disk and nothing else (docs/decisions/0144).
"""

import asyncio
import errno
import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

from psycopg.errors import DiskFull

from billing.database import is_away, tell_away
from billing.database.limits import is_too_slow
from billing.web.services.export_folder import Abandoned, ExportFile, ExportFolder, NoRoom

MOST_AT_ONCE = 3  # files that are written; others wait
MOST_EACH = 2  # for each owner (web/kit/reach.py), written or waiting
MOST_UNDERWAY = 12  # for all owners
MOST_KEPT = 20  # for each owner
MOST_KEPT_BYTES = 2_000_000_000  # for all owners
KEPT = timedelta(hours=24)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
PLAIN = ("csv", "ndjson")  # files that can be sent while they grow
State = Literal["running", "done", "failed"]
Problem = Literal["", "full", "slow", "away", "fault"]
REASONS = {"full": "the disk is full", "slow": "the database took too long"}
logger = logging.getLogger(__name__)


class RowWriter(Protocol):
    """Writes the rows of a list to a file. Blocks."""

    def add(self, rows: Sequence[Any]) -> None:
        """Write some rows."""

    def finish(self, facts: Sequence[tuple[str, str]]) -> None:
        """Write the facts about the list, and close the file."""


class Job:
    """A file in progress."""

    def __init__(self, owner: str, file_name: str, expected: int) -> None:
        self.id = secrets.token_urlsafe(12)
        self.owner = owner
        self.file_name = file_name
        self.expected = expected  # number of rows; 0 if unknown
        self.rows = 0
        self.state: State = "running"
        self.problem: Problem = ""  # why it failed
        self.begun_at = datetime.now(UTC)
        self.task: asyncio.Task[None] | None = None
        self._file: ExportFile | None = None
        self._abandoned = False

    @property
    def kept_until(self) -> datetime:
        """When the file will be removed."""
        return self.begun_at + KEPT

    @property
    def kind(self) -> str:
        """The ending of its name."""
        return self.file_name.rpartition(".")[2]

    @property
    def is_done(self) -> bool:
        """Whether it is complete."""
        return self.state == "done"

    @property
    def is_readable(self) -> bool:
        """Whether its beginning can be sent."""
        return self.is_done or (self.kind in PLAIN and self._file is not None)

    @property
    def is_abandoned(self) -> bool:
        """Whether it is no longer needed."""
        return self._abandoned

    @property
    def file(self) -> ExportFile:
        """The file, once the job has started."""
        if self._file is None:
            raise RuntimeError("The file is not begun.")
        return self._file

    @property
    def path(self) -> Path:
        """The path of the file."""
        return self.file.path

    @property
    def size(self) -> int:
        """The bytes of the file on the disk."""
        return self.path.stat().st_size if self._file and self.path.exists() else 0

    def open_to_read(self) -> BinaryIO:
        """Return the file for reading, even while it is written. Raises FileNotFoundError."""
        if self._file is None:
            raise FileNotFoundError
        return self.path.open("rb")

    def open(self, file: ExportFile) -> None:
        """Start with a file."""
        self._file = file
        if self._abandoned:
            file.abandon()

    def abandon(self) -> None:
        """Let the next write fail."""
        self._abandoned = True
        if self._file:
            self._file.abandon()

    def remove(self) -> None:
        """Remove the file; open readers can read on."""
        if self._file:
            self.path.unlink(missing_ok=True)


Make = Callable[[Job], Awaitable[None]]  # writes the file of a job


class Exports:
    """The files of all administrators; they are removed when the service stops."""

    def __init__(self, folder: Path) -> None:
        self._folder = ExportFolder(folder)
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)
        self._jobs: dict[str, Job] = {}

    async def start(self) -> None:
        """Remove the files of processes that were killed."""
        with suppress(OSError):  # a full disk: the first file tries again
            await asyncio.to_thread(self._folder.make)

    def find(self, job_id: str, owner: str) -> Job | None:
        """Return a job of this owner (web/kit/reach.py)."""
        job = self._jobs.get(job_id)
        return job if job and job.owner == owner else None

    def of(self, owner: str) -> list[Job]:
        """Return the jobs of this owner, newest first."""
        self._forget_old()
        return self._own(owner)[::-1]

    def underway(self, owner: str = "") -> list[Job]:
        """Return the jobs that are not finished, of one owner or of all."""
        return [
            job
            for job in self._jobs.values()
            if job.state == "running" and owner in ("", job.owner)
        ]

    async def turn(self, owner: str, seconds: float) -> list[Job]:
        """Wait until this owner may start another file; return the jobs that still prevent it."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while len(found := self.underway(owner)) >= MOST_EACH:
            if (left := deadline - loop.time()) <= 0:
                return found
            tasks = [job.task for job in found if job.task]
            await asyncio.wait(tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        return []

    def is_full(self) -> bool:
        """Return whether too many files are in progress."""
        return len(self.underway()) >= MOST_UNDERWAY

    def begin(self, job: Job, make: Make) -> asyncio.Task[None]:
        """Start to make a file; the job has its state."""
        self._forget_old()
        for old in self._own(job.owner)[: 1 - MOST_KEPT]:
            if old.state != "running":
                self.forget(old)
        self._jobs[job.id] = job
        job.task = asyncio.create_task(self._run(job, make))
        return job.task

    def forget(self, job: Job) -> None:
        """Remove a file, or stop a running job."""
        if job.state == "running":
            job.abandon()
        else:
            self._jobs.pop(job.id, None)
            job.remove()

    async def close(self) -> None:
        """Stop running jobs and remove every file."""
        tasks = [job.task for job in self.underway() if job.task]
        for job in self.underway():
            job.abandon()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._folder.close)

    async def _run(self, job: Job, make: Make) -> None:
        try:
            async with self._slots:
                await self._write(job, make)
            job.state = "done"
        except Exception as error:  # noqa: BLE001 -- shown and logged
            job.problem = _problem_of(error)
            _log(job, error)
            job.state = "failed"
            job.remove()
        if job.is_abandoned:
            self.forget(job)

    async def _write(self, job: Job, make: Make) -> None:
        if job.is_abandoned:
            raise Abandoned
        file = await asyncio.to_thread(self._folder.create)
        try:
            job.open(file)
            await make(job)
            await asyncio.to_thread(file.close)  # it writes the last bytes
        finally:
            with suppress(OSError, NoRoom, Abandoned):
                file.close()

    def _own(self, owner: str) -> list[Job]:
        return [job for job in self._jobs.values() if job.owner == owner]

    def _forget_old(self) -> None:
        """Remove old files, and the oldest ones if all take too much space."""
        now, taken = datetime.now(UTC), 0
        for job in reversed(list(self._jobs.values())):
            if job.state == "running":
                continue
            taken += job.size
            if job.kept_until < now or taken > MOST_KEPT_BYTES:
                self.forget(job)


def _problem_of(error: Exception) -> Problem:
    is_full = isinstance(error, OSError) and error.errno in FULL
    if is_full or isinstance(error, NoRoom | DiskFull):
        return "full"
    if is_too_slow(error):
        return "slow"
    return "away" if is_away(error) else "fault"


def _log(job: Job, error: Exception) -> None:
    """Log a fault with its traceback, and other problems in one line."""
    if job.problem == "away":
        tell_away(error)
    elif job.problem == "fault" and not isinstance(error, Abandoned):
        logger.error("The file %s could not be made.", job.id, exc_info=error)
    elif job.problem != "fault":
        logger.warning("The file %s could not be made: %s", job.id, REASONS[job.problem])


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

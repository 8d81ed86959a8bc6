"""Spreadsheets being made: each in a thread into a file, with its progress, for a day."""

import asyncio
import logging
import secrets
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from psycopg_pool import AsyncConnectionPool

from billing.projections.reading.call_filter import CallFilter
from billing.projections.reading.calls import export_calls
from billing.web.export import WorkbookWriter

AT_ONCE = 2
MOST_KEPT = 20
KEPT = timedelta(hours=24)
logger = logging.getLogger(__name__)


class Job:
    """One spreadsheet."""

    def __init__(self, owner: str, path: Path, file_name: str, expected: int) -> None:
        self.id = secrets.token_urlsafe(12)
        self.owner = owner
        self.path = path
        self.file_name = file_name
        self.expected = expected  # rows, by the totals of the filter; 0 where they don't say
        self.rows = 0
        self.state = "running"  # running, done, failed
        self.task: asyncio.Task[None] | None = None
        self.begun_at = datetime.now(UTC)

    @property
    def kept_until(self) -> datetime:
        """When the file is removed."""
        return self.begun_at + KEPT


class Exports:
    """The spreadsheets of everybody; files are gone when the service stops."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="contarifa-exports-")
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._jobs: dict[str, Job] = {}

    def find(self, job_id: str, owner: str) -> Job | None:
        """A job of this owner (reach.py)."""
        job = self._jobs.get(job_id)
        return job if job and job.owner == owner else None

    def of(self, owner: str) -> list[Job]:
        """The jobs of this owner, newest first."""
        self._forget_old()
        own = [job for job in self._jobs.values() if job.owner == owner]
        return own[::-1]

    def running(self, owner: str) -> Job | None:
        """What is being made for this owner: one file at a time."""
        return next((job for job in self.of(owner) if job.state == "running"), None)

    def begin(
        self,
        pool: AsyncConnectionPool[Any],
        wanted: CallFilter,
        language: str,
        described: list[tuple[str, str]],
        job: Job,
    ) -> None:
        """Make the spreadsheet of a filter; ask for its state later."""
        self._forget_old()
        self._jobs[job.id] = job
        job.task = asyncio.create_task(self._run(pool, wanted, language, described, job))

    def new_path(self) -> Path:
        """Where the next file goes."""
        return Path(self._folder.name) / f"{secrets.token_hex(8)}.xlsx"

    async def close(self) -> None:
        """Stop what runs and remove every file."""
        tasks = [job.task for job in self._jobs.values() if job.task and not job.task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._folder.cleanup)

    async def _run(
        self,
        pool: AsyncConnectionPool[Any],
        wanted: CallFilter,
        language: str,
        described: list[tuple[str, str]],
        job: Job,
    ) -> None:
        try:
            async with self._slots, pool.connection() as connection:
                writer = await asyncio.to_thread(WorkbookWriter, job.path, wanted.zone, language)
                writing = asyncio.create_task(asyncio.sleep(0))
                async for rows in export_calls(connection, wanted):
                    # The next rows are read while these are written.
                    await writing
                    writing = asyncio.create_task(asyncio.to_thread(writer.add, rows))
                    job.rows += len(rows)
                await writing
                await asyncio.to_thread(writer.finish, language, described)
            job.state = "done"
        except Exception:
            logger.exception("The export %s failed.", job.id)
            job.state = "failed"

    def _forget_old(self) -> None:
        now = datetime.now(UTC)
        ended = [job for job in self._jobs.values() if job.state != "running"]
        too_many = max(0, len(self._jobs) + 1 - MOST_KEPT)
        for place, job in enumerate(ended):
            if place < too_many or job.kept_until < now:
                del self._jobs[job.id]
                job.path.unlink(missing_ok=True)

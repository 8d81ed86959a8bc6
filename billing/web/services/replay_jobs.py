"""Replays of accounts as jobs: each in a thread, with its progress."""

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import Any

from psycopg import Connection

from billing.log.store import Store
from billing.queries.replay import ReplayProgress, replay

MOST_AT_ONCE = 2  # replays that read the log; others wait
MOST_KEPT = 50
logger = logging.getLogger(__name__)


class ReplayJob:
    """A replay in progress."""

    def __init__(self, account: str, owner: str) -> None:
        self.id = secrets.token_urlsafe(9)
        self.account = account
        self.owner = owner
        self.progress: ReplayProgress | None = None
        self.failed = False
        self.task: asyncio.Task[None] | None = None


class Replays:
    """The replays of all administrators, one at a time; forgotten when the service stops."""

    def __init__(self, connect: Callable[[], Connection[Any]], store: Store) -> None:
        self._connect = connect
        self._store = store
        self._jobs: dict[str, ReplayJob] = {}
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)
        self._stopping = False

    def find(self, job_id: str, owner: str) -> ReplayJob | None:
        """Return a replay of this owner (web/kit/reach.py)."""
        job = self._jobs.get(job_id)
        return job if job and job.owner == owner else None

    def begin(self, account: str, owner: str) -> ReplayJob:
        """Start to replay an account; return the running replay if this owner has one of it."""
        for job in self._jobs.values():
            if job.owner == owner and job.task and not job.task.done():
                return job
        while len(self._jobs) >= MOST_KEPT:
            del self._jobs[next(iter(self._jobs))]
        job = ReplayJob(account, owner)
        self._jobs[job.id] = job
        job.task = asyncio.create_task(self._run_in_turn(job))
        return job

    async def close(self) -> None:
        """Let running replays end at their next step."""
        self._stopping = True
        tasks = [job.task for job in self._jobs.values() if job.task]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run_in_turn(self, job: ReplayJob) -> None:
        async with self._slots:
            await asyncio.to_thread(self._run, job)

    def _run(self, job: ReplayJob) -> None:
        try:
            with self._connect() as connection:
                for progress in replay(connection, self._store, job.account):
                    job.progress = progress
                    if self._stopping:
                        return
        except Exception:
            logger.exception("The replay of %s failed.", job.account)
            job.failed = True

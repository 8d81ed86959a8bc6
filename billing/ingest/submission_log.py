"""The last submissions of each device with their outcome, for people who set up a device."""

import asyncio
import contextlib
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg
import psycopg_pool
from sanic import HTTPResponse, Request

from billing.database import tell_away
from billing.doors.addresses import ip_address_of

FLUSH_SECONDS = 0.5
MOST_A_FLUSH = 10  # per device; more are not needed to see a busy device at work
KEPT = 300  # rows per device
PRUNE_EVERY = 120  # flushes
COUNTS = ("accepted", "duplicate", "conflict", "suspended")
LONGEST = 300  # characters of a detail

ADD = """
insert into submissions (at, device_id, account, address, status, bytes, accepted, duplicate,
  conflict, suspended, detail)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""
PRUNE = """
delete from submissions as old using (
  select id, row_number() over (partition by device_id order by id desc) as place from submissions
) as placed where placed.id = old.id and placed.place > %s"""


class Noted(msgspec.Struct):
    """Facts about a submission, collected while it is processed."""

    device_id: str = ""
    account: str = ""
    counts: dict[str, int] = {}
    detail: str = ""


class SubmissionLog:
    """Collects in memory and writes twice a second, so that no submission waits for it."""

    def __init__(self, pool: psycopg_pool.AsyncConnectionPool) -> None:
        self._pool = pool
        self._waiting: list[tuple[Any, ...]] = []
        self._taken: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start writing."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Write what is waiting, then stop."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        try:
            await self._flush()
        except psycopg.Error as error:
            tell_away(error)

    def add(self, request: Request, response: HTTPResponse) -> None:
        """Log a submission that was answered."""
        noted: Noted = getattr(request.ctx, "noted", None) or Noted()
        if self._taken[noted.device_id] >= MOST_A_FLUSH:
            return
        self._taken[noted.device_id] += 1
        counts = [noted.counts.get(name, 0) for name in COUNTS]
        self._waiting.append(
            (
                datetime.now(UTC),
                noted.device_id,
                _printable(noted.account),
                ip_address_of(request),
                response.status,
                len(request.body or b""),
                *counts,
                _printable(noted.detail or _problem(response)),
            )
        )

    async def _run(self) -> None:
        turn = 0
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            turn += 1
            try:
                await self._flush()
                if turn % PRUNE_EVERY == 1:
                    async with self._pool.connection() as connection:
                        await connection.execute(PRUNE, (KEPT,))
            except psycopg.Error as error:
                tell_away(error)

    async def _flush(self) -> None:
        rows, self._waiting, self._taken = self._waiting, [], Counter()
        if rows:
            async with self._pool.connection() as connection, connection.cursor() as cursor:
                await cursor.executemany(ADD, rows)


def _problem(response: HTTPResponse) -> str:
    """Return the message of a refusal."""
    if response.status < 400 or not response.body:  # noqa: PLR2004 -- HTTP errors
        return ""
    try:
        problem = msgspec.json.decode(response.body, type=dict[str, Any])
    except msgspec.DecodeError:
        return ""
    return str(problem.get("detail") or problem.get("title") or "")


def _printable(text: str) -> str:
    return "".join(character for character in text[:LONGEST] if character.isprintable())

"""The queue of corrections: a table, so that a restarted worker resumes."""

from datetime import datetime
from typing import Any

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.commands.rerating import ReratingTotal
from billing.values import Refused, new_id

CHANNEL = "corrections"  # NOTIFY: a correction was requested
KINDS = ("recycle", "rerate", "what_if")
ENDED = ("ready", "done", "failed", "cancelled")


class CallSelection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The calls to correct; an empty field admits all."""

    begin: datetime | None = None
    end: datetime | None = None
    company_id: str = ""
    companies: tuple[str, ...] = ()  # the companies that the requesting administrator is limited to
    group_id: str = ""  # companies that are or were bound to it
    device_id: str = ""
    reason: str = ""  # of the suspension
    with_group: str = ""  # what-if: the group to rate with


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `corrections`: the request, its state, and its effect so far."""

    correction_id: str
    kind: str
    asked: dict[str, Any]
    state: str
    applying: bool
    actor: str
    address: str
    asked_at: datetime
    ended_at: datetime | None
    expected: int
    looked_at: int
    place: list[Any] | None
    preview: list[Any]
    applied: list[Any]
    problem: str

    @property
    def filter(self) -> CallSelection:
        """Return the selection of calls."""
        return msgspec.convert(self.asked, CallSelection)

    @property
    def lines(self) -> list[ReratingTotal]:
        """Return the effect so far: of the applied corrections, or of the preview."""
        return msgspec.convert(self.applied if self.applying else self.preview, list[ReratingTotal])

    @property
    def running(self) -> bool:
        """Whether it is still waiting or at work."""
        return self.state not in ENDED


COLUMNS = ", ".join(Correction.__struct_fields__)
REQUEST = f"""
with requested as (
  insert into corrections (correction_id, kind, asked, state, applying, actor, address)
  values (%s, %s, %s::jsonb, 'waiting', %s, %s, %s)
)
select pg_notify('{CHANNEL}', '')"""
FIND = f"select {COLUMNS} from corrections where correction_id = %s"
NEWEST = f"select {COLUMNS} from corrections order by asked_at desc, correction_id limit %s"
NEXT = f"""
select {COLUMNS} from corrections where state in ('waiting', 'running')
order by asked_at, correction_id limit 1"""
APPLY = f"""
with applied as (
  update corrections set state = 'waiting', applying = true, looked_at = 0, place = null,
    ended_at = null
  where correction_id = %s and kind = 'rerate' and state = 'ready' returning 1
)
select count(*), pg_notify('{CHANNEL}', '') from applied"""
RESUME = f"""
with again as (
  update corrections set state = 'waiting', ended_at = null, problem = ''
  where correction_id = %s and state in ('failed', 'cancelled') returning 1
)
select count(*), pg_notify('{CHANNEL}', '') from again"""
CANCEL = """
update corrections set state = 'cancelled', ended_at = now()
where correction_id = %s and state in ('waiting', 'running', 'ready')"""
BEGIN = """
update corrections set state = 'running', expected = %s where correction_id = %s
and state in ('waiting', 'running')"""
SAVE = """
update corrections set looked_at = %(looked_at)s, place = %(place)s::jsonb,
  preview = case when applying then preview else %(lines)s::jsonb end,
  applied = case when applying then %(lines)s::jsonb else applied end
where correction_id = %(correction_id)s and state = 'running' returning 1"""
END = """
update corrections set state = %s, problem = %s, ended_at = now()
where correction_id = %s and state = 'running'"""


async def request(
    connection: AsyncConnection[Any], kind: str, selection: CallSelection, actor: str, address: str
) -> str:
    """Queue a correction; return its id. A recycling needs no preview."""
    correction_id = new_id()
    encoded = msgspec.json.encode(selection).decode()
    await connection.execute(
        REQUEST, (correction_id, kind, encoded, kind == "recycle", actor, address)
    )
    return correction_id


async def find(connection: AsyncConnection[Any], correction_id: str) -> Correction | None:
    """Return a correction with its current state; None if unknown."""
    async with connection.cursor(row_factory=class_row(Correction)) as cursor:
        await cursor.execute(FIND, (correction_id,))
        return await cursor.fetchone()


async def newest(connection: AsyncConnection[Any], most: int = 50) -> list[Correction]:
    """Return the newest corrections, latest request first."""
    async with connection.cursor(row_factory=class_row(Correction)) as cursor:
        await cursor.execute(NEWEST, (most,))
        return await cursor.fetchall()


async def apply(connection: AsyncConnection[Any], correction_id: str) -> None:
    """Apply a previewed correction. Refused unless its preview is ready."""
    await _change(connection, APPLY, correction_id)


async def resume(connection: AsyncConnection[Any], correction_id: str) -> None:
    """Resume a failed or cancelled correction where it stopped. Refused in any other state."""
    await _change(connection, RESUME, correction_id)


async def _change(connection: AsyncConnection[Any], statement: str, correction_id: str) -> None:
    cursor = await connection.execute(statement, (correction_id,))
    row = await cursor.fetchone()
    if row is None or not row[0]:
        raise Refused("The state of this re-rating does not allow that.")


async def cancel(connection: AsyncConnection[Any], correction_id: str) -> None:
    """Cancel a correction that has not ended. What it has appended stays."""
    await connection.execute(CANCEL, (correction_id,))


def take_next(connection: psycopg.Connection) -> Correction | None:
    """Return the oldest correction that has not ended; one interrupted by a crash comes first."""
    with connection.cursor(row_factory=class_row(Correction)) as cursor:
        return cursor.execute(NEXT).fetchone()


def begin(connection: psycopg.Connection, correction_id: str, expected: int) -> None:
    """Record that it is running, and how many calls it will process."""
    connection.execute(BEGIN, (expected, correction_id))


def save(
    connection: psycopg.Connection,
    correction_id: str,
    looked_at: int,
    place: tuple[datetime, str],
    lines: list[ReratingTotal],
) -> bool:
    """Record the progress; return False if the correction was cancelled."""
    values = {
        "correction_id": correction_id,
        "looked_at": looked_at,
        "place": msgspec.json.encode(place).decode(),
        "lines": msgspec.json.encode(lines).decode(),
    }
    return connection.execute(SAVE, values).fetchone() is not None


def end(connection: psycopg.Connection, correction_id: str, state: str, problem: str = "") -> None:
    """Record that it ended, and how."""
    connection.execute(END, (state, problem, correction_id))

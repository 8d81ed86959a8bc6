"""The queue of corrections: a table, so that a restarted worker resumes.

What people do with a correction is in steps.py, together with the events about it.
"""

from datetime import datetime
from typing import Any

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.aggregates.event import Envelope
from billing.commands.rerating import ReratingTotal

CHANNEL = "corrections"  # NOTIFY: a correction was requested
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
    in_month: str = ""  # write-off: "2026-08", in UTC
    note: str = ""  # write-off: why
    through: int = 0  # write-off: the log position that the person saw; 0: no limit


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What a person did with a correction."""

    what: str  # requested, applied, stopped, resumed
    actor: str
    address: str
    token_id: str = ""
    at: datetime


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """An archived month of the selected period: its calls can't be read."""

    month: str
    calls: int  # of all companies and devices


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
    steps: list[Any]
    position: int
    left_out: list[Any]
    outdated: str

    @property
    def filter(self) -> CallSelection:
        """Return the selection of calls."""
        return msgspec.convert(self.asked, CallSelection)

    @property
    def lines(self) -> list[ReratingTotal]:
        """Return the effect so far: of the applied corrections, or of the preview."""
        return msgspec.convert(self.applied if self.applying else self.preview, list[ReratingTotal])

    @property
    def history(self) -> list[Step]:
        """Return what people did with it, oldest first; older versions kept the request only."""
        requested = Step(what="requested", actor=self.actor, address=self.address, at=self.asked_at)
        return msgspec.convert(self.steps, list[Step]) or [requested]

    @property
    def envelope(self) -> Envelope:
        """The envelope of the person in whose name it works: who started it last."""
        step = next(each for each in reversed(self.history) if each.what != "stopped")
        return Envelope(
            recorded_at=step.at,
            actor=step.actor,
            address=step.address,
            request_id=self.correction_id,
            token_id=step.token_id,
        )

    @property
    def months_left_out(self) -> list[LeftOut]:
        """Return the archived months of the selected period."""
        return msgspec.convert(self.left_out, list[LeftOut])

    @property
    def begun(self) -> bool:
        """Whether a run has processed calls and is to be continued."""
        return self.place is not None

    @property
    def running(self) -> bool:
        """Whether it is still waiting or at work."""
        return self.state not in ENDED


COLUMNS = ", ".join(Correction.__struct_fields__)
FIND = f"select {COLUMNS} from corrections where correction_id = %s"
NEWEST = f"select {COLUMNS} from corrections order by asked_at desc, correction_id limit %s"
NEXT = f"""
select {COLUMNS} from corrections where state in ('waiting', 'running')
order by asked_at, correction_id limit 1"""
BEGIN = """
update corrections set state = 'running', expected = %s, position = %s, left_out = %s::jsonb
where correction_id = %s and state in ('waiting', 'running')"""
PREVIEW_AGAIN = """
update corrections set state = 'waiting', applying = false, looked_at = 0, place = null,
  preview = '[]', outdated = %s
where correction_id = %s and state in ('waiting', 'running')"""
SAVE = """
update corrections set looked_at = %(looked_at)s, place = %(place)s::jsonb,
  preview = case when applying then preview else %(lines)s::jsonb end,
  applied = case when applying then %(lines)s::jsonb else applied end
where correction_id = %(correction_id)s and state = 'running' returning 1"""
END = """
update corrections set state = %s, problem = %s, ended_at = now()
where correction_id = %s and state in ('waiting', 'running')"""


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


def take_next(connection: psycopg.Connection) -> Correction | None:
    """Return the oldest correction that has not ended; one interrupted by a crash comes first."""
    with connection.cursor(row_factory=class_row(Correction)) as cursor:
        return cursor.execute(NEXT).fetchone()


def begin(
    connection: psycopg.Connection,
    correction_id: str,
    expected: int,
    position: int,
    left_out: list[LeftOut],
) -> None:
    """Record that it is running, how many calls it will process, and from which log position."""
    encoded = msgspec.json.encode(left_out).decode()
    connection.execute(BEGIN, (expected, position, encoded, correction_id))


def preview_again(connection: psycopg.Connection, correction_id: str, outdated: str) -> None:
    """Have the preview made again instead of applying it; `outdated` says what has changed."""
    connection.execute(PREVIEW_AGAIN, (outdated, correction_id))


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

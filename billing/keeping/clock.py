"""Decide whether the clock of the machine can be trusted before anything irreversible is done.

While a process runs, its wall clock is compared with the monotonic one. At its start the clock is
compared with the newest event of the log and with the last beat that the keeping job recorded. As
long as they disagree, irreversible actions wait until the clock agrees again, a person confirms it,
or the keeping job has run for a day. After such a day they are done for one month a day.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
from psycopg.rows import class_row

from billing.queries.clock import AGREES, DAY, STATE, ClockState, Doubt
from billing.values import Refused

APART = timedelta(hours=1)  # the largest accepted difference of the two clocks
AWAY = timedelta(days=7)  # the longest accepted time without a beat
EVERY = timedelta(minutes=1)  # between beats
COUNTED = 60  # seconds of uptime recorded in one update
NEWEST = """
select state from billing_events order by notification_id desc limit 1"""
BEGIN = "insert into beats (at) values (%s) on conflict do nothing"
BEAT = "update beats set at = %s, doubt = '', doubted_at = null"
DOUBTED = """
update beats set doubt = %s, doubted_at = %s, ran_seconds = 0, steps = '{}' where doubt = ''"""
RAN = "update beats set ran_seconds = ran_seconds + %s"
SPEND = f"""
update beats set steps = steps || jsonb_build_object(%(step)s::text, ran_seconds)
where coalesce((steps ->> %(step)s)::bigint + {DAY}, 0) <= ran_seconds"""
CONFIRM = """
insert into beats (at, confirmations, confirmed_by, confirmed_at)
values (%(now)s, 1, %(by)s, %(now)s)
on conflict (one) do update set at = excluded.at, doubt = '', doubted_at = null,
 confirmations = beats.confirmations + 1, confirmed_by = excluded.confirmed_by,
 confirmed_at = excluded.confirmed_at"""


class _Envelope(msgspec.Struct, frozen=True):
    recorded_at: datetime


class _StoredTime(msgspec.Struct, frozen=True):
    envelope: _Envelope


_decoder = msgspec.json.Decoder(_StoredTime)


def steady() -> float:
    """Return seconds of a clock that nobody sets and that runs on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def utc_now() -> datetime:
    """Return the time of the wall clock."""
    return datetime.now(UTC)


class Clock:
    """The clock of one process. Only the keeping job (`keeps`) records its findings."""

    def __init__(
        self,
        wall: Callable[[], datetime] = utc_now,
        passed: Callable[[], float] = steady,
        *,
        keeps: bool = False,
    ) -> None:
        self._wall = wall
        self._passed = passed
        self._keeps = keeps
        self._agreed_at: tuple[datetime, float] | None = None  # when both began to agree
        self._newest: datetime | None = None  # newest event before this process
        self._confirmations: int | None = None  # their number at the last look
        self._doubted_at: float | None = None  # monotonic, in this process
        self._counted_to = 0.0  # monotonic

    def look(self, connection: psycopg.Connection[Any]) -> tuple[datetime, ClockState]:
        """Return the wall clock's time and whether to trust it. `connection` is in autocommit."""
        now, passed = self._wall(), self._passed()
        known = read_clock(connection)
        if self._confirmations is None:
            self._newest = _newest(connection)
        elif known.confirmations != self._confirmations:
            self._agreed_at, self._newest = (now, passed), None
        self._confirmations = known.confirmations
        doubt = self._doubt(now, passed, known)
        if not doubt:
            self._doubted_at = None
            self._agreed_at = self._agreed_at or (now, passed)
        elif self._doubted_at is None:
            self._doubted_at = self._counted_to = passed
        if not self._keeps:
            return now, self._judge(now, passed, known, doubt)
        self._write(connection, now, passed, known, doubt)
        return now, read_clock(connection)

    def _doubt(self, now: datetime, passed: float, known: ClockState) -> Doubt:
        if not self._agreed_at:
            return doubt_at_start(now, known.beat_at, self._newest)
        wall, then = self._agreed_at
        apart = now - wall - timedelta(seconds=passed - then)
        return "jumped" if abs(apart) > APART else ""

    def _judge(self, now: datetime, passed: float, known: ClockState, doubt: Doubt) -> ClockState:
        """Return the state for a process that doubts a clock even if the keeping job does not."""
        if known.is_doubted or not doubt or self._doubted_at is None:
            return known
        if passed - self._doubted_at >= DAY:  # the keeping job trusted it all the time
            self._agreed_at = (now, passed)
            return known
        return msgspec.structs.replace(known, doubt=doubt, doubted_at=now, ran_seconds=0)

    def _write(
        self,
        connection: psycopg.Connection[Any],
        now: datetime,
        passed: float,
        known: ClockState,
        doubt: Doubt,
    ) -> None:
        if known.beat_at is None:
            connection.execute(BEGIN, (self._newest if doubt and self._newest else now,))
        if doubt:
            connection.execute(DOUBTED, (doubt, now))
            if (seconds := int(passed - self._counted_to)) >= COUNTED:
                connection.execute(RAN, (seconds,))
                self._counted_to += seconds
        elif known.is_doubted or known.beat_at is None or now - known.beat_at >= EVERY:
            connection.execute(BEAT, (now,))


def doubt_at_start(now: datetime, beat_at: datetime | None, newest: datetime | None) -> Doubt:
    """Return the reason to doubt a clock at the start, from the last beat and the newest event."""
    if any(at and now < at for at in (beat_at, newest)):
        return "behind"
    return "away" if beat_at and now - beat_at > AWAY else ""


def read_clock(connection: psycopg.Connection[Any]) -> ClockState:
    """Return the latest findings of the keeping job."""
    with connection.cursor(row_factory=class_row(ClockState)) as cursor:
        return cursor.execute(STATE).fetchone() or AGREES


def _newest(connection: psycopg.Connection[Any]) -> datetime | None:
    row = connection.execute(NEWEST).fetchone()
    return _decoder.decode(row[0]).envelope.recorded_at if row else None


def may_step(connection: psycopg.Connection[Any], clock: ClockState, step: str) -> bool:
    """Return whether an irreversible `step` may be done now, and record it if it may.

    With a clock in doubt, the first is allowed after a day of uptime, the next a day later.
    """
    if not clock.is_doubted:
        return True
    return not clock.is_waiting and connection.execute(SPEND, {"step": step}).rowcount > 0


def confirm(connection: psycopg.Connection[Any], now: datetime, by: str) -> None:
    """Record that a person confirms the clock; `by` is the actor."""
    connection.execute(CONFIRM, {"now": now, "by": by})


def refuse_doubt(connection: psycopg.Connection[Any]) -> None:
    """Refuse while irreversible actions wait."""
    _, clock = Clock().look(connection)
    if clock.is_waiting:
        raise Refused(
            "The clock of this machine is in doubt. If it is right, confirm it with `billing clock "
            "confirm`."
        )

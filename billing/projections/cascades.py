"""Calls of devices in a cascade that may still match a record of the other device."""

from collections.abc import Sequence
from typing import Any

from psycopg import Cursor

from billing.aggregates.call import CallLinked, CallRated, CallVoided
from billing.aggregates.device import CascadeSet
from billing.aggregates.keeping import NumbersShortened
from billing.log.sealing import CALLS
from billing.log.store import Recorded

NAME = "cascades"
TABLES = ("cascade_rules", "cascade_records")

SET = """
insert into cascade_rules (lower, upper, charged, start_seconds, duration_seconds)
values (%s, %s, %s, %s, %s) on conflict (lower) do update set upper = excluded.upper,
  charged = excluded.charged, start_seconds = excluded.start_seconds,
  duration_seconds = excluded.duration_seconds"""
END = "delete from cascade_rules where lower = %s"
DEVICES = "select lower from cascade_rules union select upper from cascade_rules"
ADD = """
insert into cascade_records (call_id, device_id, number, started_at, talk_ms, position)
select * from unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::int8[], %s::int8[])
on conflict (call_id) do nothing"""
# Shortened numbers can't match; the calls are found by their positions in the log.
FORGET = """
delete from cascade_records where position between %s and %s
 and call_id >= %s and call_id < %s"""
SETTLE = "delete from cascade_records where call_id = any(%s)"


def apply(cursor: Cursor[Any], batch: Sequence[Recorded]) -> None:
    """Keep the records that may still be paired. A rule applies to later records only."""
    cascaded = {row[0] for row in cursor.execute(DEVICES).fetchall()}
    rows: dict[str, tuple[Any, ...]] = {}
    settled: list[str] = []
    shortened: list[NumbersShortened] = []
    for recorded in batch:
        match recorded.event:
            case CascadeSet() as event:
                _set(cursor, recorded.stream.partition(":")[2], event)
                cascaded = {row[0] for row in cursor.execute(DEVICES).fetchall()}
            case CallRated() as event if event.device_id in cascaded:
                rating, cdr = event.rating, event.cdr
                if rating.direction == "outbound" and cdr.billed_ms and rating.number:
                    call_id = recorded.stream[len(CALLS) :]
                    facts = (rating.number, event.filed_at, cdr.billed_ms, recorded.position)
                    rows[call_id] = (call_id, event.device_id, *facts)
            case NumbersShortened() as event:
                shortened.append(event)
            case CallLinked() | CallVoided() if cascaded:
                settled.append(recorded.stream[len(CALLS) :])
    if rows:
        cursor.execute(ADD, [list(column) for column in zip(*rows.values(), strict=True)])
    if settled:
        cursor.execute(SETTLE, (settled,))
    for shortening in shortened:
        place = shortening.first_position, shortening.last_position
        cursor.execute(FORGET, (*place, shortening.month, shortening.month + ";"))


def _set(cursor: Cursor[Any], lower: str, event: CascadeSet) -> None:
    if not event.upper:
        cursor.execute(END, (lower,))
        return
    tolerances = event.start_seconds, event.duration_seconds
    cursor.execute(SET, (lower, event.upper, event.charged, *tolerances))

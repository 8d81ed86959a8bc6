"""Calls of devices in a cascade, and the pairs that were made of them."""

from collections.abc import Sequence
from typing import Any

from psycopg import Cursor

from billing.aggregates.call import (
    CASCADED,
    CallLinked,
    CallParted,
    CallRated,
    CallRerated,
    CallVoided,
)
from billing.aggregates.device import CascadeSet
from billing.aggregates.keeping import NumbersShortened
from billing.log.sealing import CALLS
from billing.log.store import Recorded
from billing.rating.context import Rating

NAME = "cascades"
TABLES = ("cascade_rules", "cascade_records", "cascade_pairs")

SET = """
insert into cascade_rules (lower, upper, charged, start_seconds, duration_seconds)
values (%s, %s, %s, %s, %s) on conflict (lower) do update set upper = excluded.upper,
  charged = excluded.charged, start_seconds = excluded.start_seconds,
  duration_seconds = excluded.duration_seconds"""
END = "delete from cascade_rules where lower = %s"
DEVICES = "select lower from cascade_rules union select upper from cascade_rules"
ADD = """
insert into cascade_records
  (call_id, device_id, number, started_at, talk_ms, position, changed, own)
select call_id, device_id, number, started_at, talk_ms, position, position, own
from unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::int8[], %s::int8[],
  %s::bool[]) as new (call_id, device_id, number, started_at, talk_ms, position, own)
on conflict (call_id) do nothing"""
RATE = "update cascade_records set number = %s, own = %s, changed = %s where call_id = %s"
# Shortened numbers can't match; the calls are found by their positions in the log.
FORGET = """
delete from cascade_records where position between %s and %s
 and call_id >= %s and call_id < %s"""
REMOVE = "delete from cascade_records where call_id = %s"
JOIN = """
with pair as (
  select charged.call_id as charged_id, other.call_id as other_id,
   charged.started_at as charged_at, other.started_at as other_at,
   (abs(extract(epoch from charged.started_at - other.started_at)) * 1000000)::bigint as apart_us,
   abs(charged.talk_ms - other.talk_ms) as longer_ms,
   rule.start_seconds, rule.duration_seconds
  from cascade_records as charged cross join cascade_records as other
  left join cascade_rules as rule on (rule.lower, rule.upper) in (
   (charged.device_id, other.device_id), (other.device_id, charged.device_id))
  where charged.call_id = %(charged)s and other.call_id = %(other)s
  order by rule.lower limit 1
), joined as (
  update cascade_records as record set apart_us = pair.apart_us, longer_ms = pair.longer_ms,
   partner = case record.call_id when pair.charged_id then pair.other_id else pair.charged_id end
  from pair where record.call_id in (pair.charged_id, pair.other_id)
)
insert into cascade_pairs (position, charged_id, other_id, charged_at, other_at, apart_us,
  longer_ms, start_seconds, duration_seconds, linked_at)
select %(position)s, pair.*, %(at)s from pair"""
PART = """
update cascade_records set partner = null, apart_us = null, longer_ms = null, changed = %s
where call_id = %s"""
PART_PAIR = """
update cascade_pairs set parted_at = %(at)s, parted_by = %(by)s, reason = %(reason)s,
  closer = %(closer)s
where parted_at is null and (charged_id = %(one)s and other_id = %(two)s
  or charged_id = %(two)s and other_id = %(one)s)"""

Rows = dict[str, tuple[Any, ...]]


def apply(cursor: Cursor[Any], batch: Sequence[Recorded]) -> None:
    """Keep the records that can be paired, and the pairs. A rule applies to later records only."""
    cascaded = _devices(cursor)
    rows: Rows = {}
    for recorded in batch:
        match recorded.event:
            case CascadeSet() as event:
                _write(cursor, rows)
                _set(cursor, recorded.stream.partition(":")[2], event)
                cascaded = _devices(cursor)
            case CallRated() as event if event.device_id in cascaded:
                if _can_pair(event.rating) and event.cdr.billed_ms:
                    call_id = recorded.stream[len(CALLS) :]
                    facts = (event.rating.number, event.filed_at, event.cdr.billed_ms)
                    own = bool(event.rating.extension)
                    rows[call_id] = (call_id, event.device_id, *facts, recorded.position, own)
            case CallRerated() as event if event.device_id not in cascaded:
                continue
            case CallRerated() | CallLinked() | CallParted() | CallVoided() | NumbersShortened():
                _write(cursor, rows)
                _follow(cursor, recorded)
    _write(cursor, rows)


def _devices(cursor: Cursor[Any]) -> set[str]:
    return {row[0] for row in cursor.execute(DEVICES).fetchall()}


def _can_pair(rating: Rating) -> bool:
    return rating.direction == "outbound" and bool(rating.number)


def _write(cursor: Cursor[Any], rows: Rows) -> None:
    """Write the collected rows, and empty them: what follows in the log may change them."""
    if rows:
        cursor.execute(ADD, [list(column) for column in zip(*rows.values(), strict=True)])
        rows.clear()


def _set(cursor: Cursor[Any], lower: str, event: CascadeSet) -> None:
    if not event.upper:
        cursor.execute(END, (lower,))
        return
    tolerances = event.start_seconds, event.duration_seconds
    cursor.execute(SET, (lower, event.upper, event.charged, *tolerances))


def _follow(cursor: Cursor[Any], recorded: Recorded) -> None:
    call_id, position = recorded.stream[len(CALLS) :], recorded.position
    match recorded.event:
        case CallRerated(rating=rating):
            if _can_pair(rating):
                own = bool(rating.extension)
                cursor.execute(RATE, (rating.number, own, position, call_id))
            else:
                cursor.execute(REMOVE, (call_id,))
        case CallLinked(charged=True, partner=partner):
            at = recorded.envelope.recorded_at
            other = partner[len(CALLS) :]
            cursor.execute(
                JOIN, {"charged": call_id, "other": other, "position": position, "at": at}
            )
        case CallParted() as event:
            cursor.execute(PART, (position, call_id))
            values = {
                "at": recorded.envelope.recorded_at,
                "by": recorded.envelope.actor,
                "reason": event.reason,
                "closer": event.closer[len(CALLS) :],
                "one": call_id,
                "two": event.partner[len(CALLS) :],
            }
            cursor.execute(PART_PAIR, values)
        case CallVoided(reason=reason) if reason != CASCADED:
            cursor.execute(REMOVE, (call_id,))
        case NumbersShortened() as event:
            place = event.first_position, event.last_position
            cursor.execute(FORGET, (*place, event.month, event.month + ";"))

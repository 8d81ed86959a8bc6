"""The call list: one row per call record, with its current state."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from psycopg import Cursor

from billing.aggregates.call import (
    CallRated,
    CallReinstated,
    CallRerated,
    CallSuspended,
    CallVoided,
    ConflictKept,
)
from billing.aggregates.events import Stored
from billing.aggregates.keeping import NumbersShortened
from billing.log.binary_arrays import TextArray, register
from billing.log.partitions import create_list_partition
from billing.log.sealing import CALLS
from billing.log.store import Recorded
from billing.rating.shortening import SHORTENED, shorten_ends

NAME = "calls"
TABLES = ("call_list",)
LONGEST_NUMBER = 200  # characters; index entries are limited, `dialled` has the whole number

TYPES = {
    "started_at": "timestamptz",
    "call_id": "text",
    "company_id": "text",
    "user_account_id": "text",
    "gateway_account_id": "text",
    "device_id": "text",
    "extension": "text",
    "caller": "text",
    "dialled": "text",
    "number": "text",
    "area": "text",
    "class": "text",
    "direction": "text",
    "result": "text",
    "status": "text",
    "reason": "text",
    "talk_ms": "int8",
    "billed_seconds": "int8",
    "amount_micros": "int8",
    "currency": "text",
    "rate_name": "text",
    "flags": "text[]",
    "conflicts": "int4",
}
COPY = f"copy call_list ({', '.join(TYPES)}) from stdin (format binary)"
# A changed call is deleted and written again, because its events hold all of its data.
TAKE_OUT = """
delete from call_list as call using unnest(%s::timestamptz[], %s::text[]) as old (started_at, id)
where call.started_at = old.started_at and call.call_id = old.id
returning call.call_id, call.conflicts"""
ADD_CONFLICTS = """
update call_list as call set conflicts = call.conflicts + new.conflicts
from unnest(%s::timestamptz[], %s::text[], %s::int4[]) as new (started_at, id, conflicts)
where call.started_at = new.started_at and call.call_id = new.id"""
# The events of a month in a range of the log whose numbers were shortened there. Suspended calls
# keep their numbers until they are rated.
RANGE = """
select state, substr(originator_id, 6) from billing_events
where originator_id >= %s and originator_id < %s and notification_id between %s and %s"""
WHOLE = """
select call.started_at, call.call_id, call.direction, call.caller, call.dialled, call.number
from unnest(%s::timestamptz[], %s::text[]) as known (started_at, id)
join call_list as call on call.started_at = known.started_at and call.call_id = known.id
where call.status <> 'suspended' and not %s = any(call.flags)"""
SHORTEN = """
update call_list as call set caller = new.caller, dialled = new.dialled, number = new.number,
 flags = call.flags || %s::text
from unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[])
 as new (started_at, id, caller, dialled, number)
where call.started_at = new.started_at and call.call_id = new.id"""
# Months whose events have a partition and whose rows have none yet; other rows are in the default.
MISSING = """
select month from unnest(%s::text[]) as month
where to_regclass('call_list_' || replace(month, '-', '_')) is null
 and to_regclass('billing_events_' || replace(month, '-', '_')) is not null"""

# The events that say all about a call.
Stated = CallRated | CallSuspended | CallRerated | CallVoided | CallReinstated


class _FiledAt(msgspec.Struct, frozen=True):
    filed_at: datetime


_decoder = msgspec.json.Decoder(Stored[_FiledAt])


def apply(cursor: Cursor[Any], batch: Sequence[Recorded]) -> None:
    """Write the changes of a batch of events."""
    begin = 0
    for number, recorded in enumerate(batch):
        if isinstance(recorded.event, NumbersShortened):  # of the calls so far
            _write_changes(cursor, batch[begin:number])
            _shorten(cursor, recorded.event)
            begin = number + 1
    _write_changes(cursor, batch[begin:])


def _shorten(cursor: Cursor[Any], event: NumbersShortened) -> None:
    """Shorten the numbers of a range of calls, as in the log; a rebuild reads them shortened."""
    month = CALLS + event.month
    positions = event.first_position, event.last_position
    found = cursor.execute(RANGE, (month, month + ";", *positions)).fetchall()
    # Not as JSON of PostgreSQL, which refuses the NUL that a raw record may have.
    known = {(_decoder.decode(state).event.filed_at, call_id) for state, call_id in found}
    times, ids = [at for at, _ in known], [call_id for _, call_id in known]
    changed = []
    for at, call_id, direction, *ends in cursor.execute(WHOLE, (times, ids, SHORTENED)).fetchall():
        if shortened := shorten_ends(direction, *ends):
            changed.append((at, call_id, *shortened))
    if changed:
        columns = [list(column) for column in zip(*changed, strict=True)]
        cursor.execute(SHORTEN, (SHORTENED, *columns))


def _write_changes(cursor: Cursor[Any], batch: Sequence[Recorded]) -> None:
    rows: dict[str, list[Any]] = {}
    changed: dict[str, datetime] = {}
    conflicts: dict[str, tuple[datetime, int]] = {}
    for recorded in batch:
        event = recorded.event
        match event:
            case CallRated() | CallSuspended() | CallRerated() | CallVoided() | CallReinstated():
                call_id = recorded.stream[len(CALLS) :]
                if recorded.version > 1:
                    changed[call_id] = event.filed_at
                rows[call_id] = _row(call_id, event)
            case ConflictKept():
                call_id = recorded.stream[len(CALLS) :]
                _, count = conflicts.get(call_id, (event.filed_at, 0))
                conflicts[call_id] = event.filed_at, count + 1
    if changed:
        cursor.execute(TAKE_OUT, (list(changed.values()), list(changed)))
        for call_id, count in cursor.fetchall():
            rows[call_id][-1] = count
    if rows:
        _write(cursor, rows)
    if conflicts:
        times, counts = zip(*conflicts.values(), strict=True)
        cursor.execute(ADD_CONFLICTS, (list(times), list(conflicts), list(counts)))


def _row(call_id: str, event: Stated) -> list[Any]:
    cdr, rating = event.cdr, event.rating
    voided = isinstance(event, CallVoided)
    status = "rerated" if isinstance(event, CallRerated) else rating.status
    return [
        event.filed_at,
        call_id,
        rating.company_id,
        rating.user_account,
        rating.gateway_account,
        event.device_id,
        rating.extension,
        cdr.caller,
        cdr.called,
        rating.number[:LONGEST_NUMBER],
        rating.area,
        rating.call_class,
        rating.direction,
        cdr.result,
        "voided" if voided else status,
        event.reason if isinstance(event, CallVoided) else rating.reason,
        cdr.billed_ms,
        rating.billed_seconds,
        0 if voided else rating.amount_micros,
        rating.currency,
        rating.rate_name,
        _flags(rating.flags),
        0,
    ]


@lru_cache(maxsize=1_000)
def _flags(flags: tuple[str, ...]) -> TextArray:
    return TextArray.of([flag.encode() for flag in flags])


def _write(cursor: Cursor[Any], rows: dict[str, list[Any]]) -> None:
    months = {call_id[:7] for call_id in rows}
    for (month,) in cursor.execute(MISSING, (list(months),)).fetchall():
        create_list_partition(cursor, month)
    register(cursor)
    with cursor.copy(COPY) as copy:
        copy.set_types(list(TYPES.values()))
        for row in rows.values():
            copy.write_row(row)

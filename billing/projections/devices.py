"""Devices, their extensions, and when their records arrived and how late."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from psycopg import Cursor

from billing.aggregates.call import CallRated, CallReceived, CallSuspended, CallVoided
from billing.aggregates.device import DeviceChanged, DeviceDisabled, DeviceEnabled, DeviceRegistered
from billing.aggregates.extension import ExtensionEntry, ExtensionsAssigned, ExtensionsRemoved
from billing.log.sealing import CALLS
from billing.log.store import Recorded

NAME = "devices"
TABLES = ("devices", "device_hours", "device_extensions", "extension_assignments")

REGISTER = """
insert into devices (device_id, name, model, company_id, time_zone, country, area_code, format,
  columns, fallback_encoding, enabled, extensions, last_cdr_at, calls, suspended)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, true, 0, null, 0, 0)"""
CHANGE = """
update devices set name = %(name)s, model = %(model)s, time_zone = %(time_zone)s,
  country = %(country)s, area_code = %(area_code)s, format = %(format)s,
  columns = %(columns)s, fallback_encoding = %(fallback_encoding)s,
  gateway_first = %(gateway_first)s, allowed_addresses = %(allowed_addresses)s,
  silent_after_minutes = %(silent_after_minutes)s
where device_id = %(device_id)s"""
ENABLE = "update devices set enabled = %s, disabled_reason = %s where device_id = %s"
ASSIGN = """
insert into device_extensions (device_id, tenant, extension, account, name, valid_from)
select * from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
on conflict (device_id, tenant, extension) do update
  set account = excluded.account, name = excluded.name, valid_from = excluded.valid_from"""
KEEP_ASSIGNMENTS = """
insert into extension_assignments (device_id, tenant, extension, valid_from, account, name,
  assigned_at)
select device_id, tenant, extension, coalesce(valid_from, '-infinity'), account, name, assigned_at
from unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::text[],
  %s::timestamptz[])
  as new (device_id, tenant, extension, valid_from, account, name, assigned_at)
on conflict (device_id, tenant, extension, valid_from) do update
  set account = excluded.account, name = excluded.name, assigned_at = excluded.assigned_at"""
REMOVE = """
delete from {table} as gone using unnest(%s::text[], %s::text[]) as given (tenant, extension)
where gone.device_id = %s and gone.tenant = given.tenant and gone.extension = given.extension"""
COUNT_EXTENSIONS = """
update devices set extensions =
  (select count(*) from device_extensions as own where own.device_id = devices.device_id)
where device_id = any(%s)"""
ADD_CALLS = """
update devices set calls = devices.calls + new.calls, suspended = devices.suspended + new.suspended,
  last_cdr_at = greatest(devices.last_cdr_at, new.last_cdr_at)
from unnest(%s::text[], %s::int8[], %s::int8[], %s::timestamptz[])
  as new (device_id, calls, suspended, last_cdr_at)
where devices.device_id = new.device_id"""
ADD_HOURS = """
insert into device_hours as known (device_id, hour, records, suspended, least_delay_ms)
select * from unnest(%s::text[], %s::timestamptz[], %s::int8[], %s::int8[], %s::int8[])
on conflict (device_id, hour) do update set records = known.records + excluded.records,
  suspended = known.suspended + excluded.suspended,
  least_delay_ms = least(known.least_delay_ms, excluded.least_delay_ms)"""
MILLISECOND = timedelta(milliseconds=1)
Key = tuple[str, str, str]  # device, tenant, extension


class Count(msgspec.Struct):
    """The effect of a batch on a device."""

    calls: int = 0
    suspended: int = 0
    last: datetime | None = None


class Hour(msgspec.Struct):
    """The records of a device in one hour of a batch."""

    records: int = 0
    suspended: int = 0
    least_delay_ms: int | None = None


def apply(cursor: Cursor[Any], batch: Sequence[Recorded]) -> None:
    """Apply a batch of events to the devices, and count their records."""
    counts: dict[str, Count] = {}
    hours: dict[tuple[str, datetime], Hour] = {}
    extensions: list[Recorded] = []
    for received in _gather(batch):
        _count(counts, hours, received)
    for recorded in batch:
        if recorded.version == 1 and recorded.stream.startswith(CALLS):
            continue
        match recorded.event:
            case (CallRated() | CallVoided()) as event if _was_suspended(event):
                counts.setdefault(event.device_id, Count()).suspended -= 1
            case ExtensionsAssigned() | ExtensionsRemoved():
                extensions.append(recorded)
            case DeviceRegistered() | DeviceChanged() | DeviceDisabled() | DeviceEnabled():
                _follow(cursor, recorded)
    if extensions:
        _assign(cursor, extensions)
    if counts:
        rows = [(key, each.calls, each.suspended, each.last) for key, each in counts.items()]
        cursor.execute(ADD_CALLS, _columns(rows))
    if hours:
        cursor.execute(
            ADD_HOURS,
            _columns(
                (*key, each.records, each.suspended, each.least_delay_ms)
                for key, each in hours.items()
            ),
        )


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _follow(cursor: Cursor[Any], recorded: Recorded) -> None:
    device_id = recorded.stream.partition(":")[2]
    match recorded.event:
        case DeviceRegistered() as event:
            place = (event.company_id, event.time_zone, event.country, event.area_code)
            read = (event.format, list(event.columns), event.fallback_encoding)
            cursor.execute(REGISTER, (device_id, event.name, event.model, *place, *read))
        case DeviceChanged() as event:
            values = msgspec.structs.asdict(event) | {"device_id": device_id}
            values["columns"] = list(event.columns)
            values["allowed_addresses"] = list(event.allowed_addresses)
            cursor.execute(CHANGE, values)
        case DeviceDisabled(reason=reason):
            cursor.execute(ENABLE, (False, reason, device_id))
        case DeviceEnabled():
            cursor.execute(ENABLE, (True, "", device_id))


class Received(msgspec.Struct):
    """New call records that a device sent at one time; they share their envelope."""

    device_id: str
    at: datetime
    records: int = 0
    suspended: int = 0
    ended_at: datetime | None = None  # latest end of a call, for the shortest delay


def _gather(batch: Sequence[Recorded]) -> list[Received]:
    """Group new records by device and time. Loops over every call, so it does little for each."""
    found: dict[tuple[str, int], Received] = {}
    for recorded in batch:
        event = recorded.event
        if recorded.version > 1 or not isinstance(event, CallReceived):
            continue
        key = event.device_id, id(recorded.envelope)
        received = found.get(key)
        if received is None:
            at = recorded.envelope.recorded_at
            received = found[key] = Received(event.device_id, at)
        received.records += 1
        if type(event) is CallSuspended:
            received.suspended += 1
        ended_at = event.cdr.ended_at
        if ended_at and (received.ended_at is None or ended_at > received.ended_at):
            received.ended_at = ended_at
    return list(found.values())


def _count(
    counts: dict[str, Count], hours: dict[tuple[str, datetime], Hour], received: Received
) -> None:
    count = counts.setdefault(received.device_id, Count())
    count.calls += received.records
    count.suspended += received.suspended
    count.last = received.at
    key = received.device_id, received.at.replace(minute=0, second=0, microsecond=0)
    hour = hours.setdefault(key, Hour())
    hour.records += received.records
    hour.suspended += received.suspended
    if received.ended_at:
        delay_ms = (received.at - received.ended_at) // MILLISECOND
        if hour.least_delay_ms is None or delay_ms < hour.least_delay_ms:
            hour.least_delay_ms = delay_ms


def _assign(cursor: Cursor[Any], batch: Sequence[Recorded]) -> None:
    """Write assignments; removals between them are applied in order."""
    assigned: dict[Key, ExtensionEntry] = {}
    history: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for recorded in batch:
        device_id, event = recorded.stream.partition(":")[2], recorded.event
        if isinstance(event, ExtensionsRemoved):
            _write(cursor, assigned, history)
            assigned, history = {}, {}
            _remove(cursor, device_id, event.extensions)
        for entry in event.entries if isinstance(event, ExtensionsAssigned) else ():
            key = (device_id, entry.tenant, entry.extension)
            assigned[key] = entry
            facts = (entry.account, entry.name, recorded.envelope.recorded_at)
            history[*key, entry.valid_from] = facts
    _write(cursor, assigned, history)
    cursor.execute(COUNT_EXTENSIONS, ([each.stream.partition(":")[2] for each in batch],))


def _remove(cursor: Cursor[Any], device_id: str, extensions: Sequence[tuple[str, str]]) -> None:
    if not extensions:
        return
    keys = _columns(extensions)
    for table in ("device_extensions", "extension_assignments"):
        cursor.execute(REMOVE.format(table=table), (*keys, device_id))


def _write(
    cursor: Cursor[Any],
    assigned: dict[Key, ExtensionEntry],
    history: dict[tuple[Any, ...], tuple[Any, ...]],
) -> None:
    if not assigned:
        return
    rows = [(*key, each.account, each.name, each.valid_from) for key, each in assigned.items()]
    cursor.execute(ASSIGN, _columns(rows))
    cursor.execute(KEEP_ASSIGNMENTS, _columns((*key, *facts) for key, facts in history.items()))


def _was_suspended(event: CallRated | CallVoided) -> bool:
    """Whether an event ends the suspension of its call; re-ratings don't."""
    return isinstance(event, CallRated) or event.rating.status == "suspended"

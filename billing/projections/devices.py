"""Devices: what they are, how many extensions they have, when a record last came in."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import Cursor

from billing.aggregates.call import CallRated, CallSuspended, CallVoided
from billing.aggregates.device import DeviceRegistered, ExtensionAssigned
from billing.store import Recorded

NAME = "devices"
TABLES = ("devices", "device_extensions")

REGISTER = """
insert into devices (device_id, name, model, company_id, time_zone, country, area_code, format,
  enabled, extensions, last_cdr_at, calls, suspended)
values (%s, %s, %s, %s, %s, %s, %s, %s, true, 0, null, 0, 0)"""
ASSIGN = """
insert into device_extensions (device_id, tenant, extension, account, name)
select * from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
on conflict (device_id, tenant, extension) do update
  set account = excluded.account, name = excluded.name"""
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


def apply(cursor: Cursor[Any], batch: Sequence[Recorded]) -> None:
    """Follow the devices and count their records."""
    counts: dict[str, tuple[int, int, datetime | None]] = {}
    assigned: dict[tuple[str, str, str], tuple[str, str]] = {}
    for recorded in batch:
        device_id = recorded.stream.partition(":")[2]
        match recorded.event:
            case (CallRated() | CallSuspended()) as event if recorded.version == 1:
                calls, suspended, _ = counts.get(event.device_id, (0, 0, None))
                suspended += isinstance(event, CallSuspended)
                last = recorded.envelope.recorded_at
                counts[event.device_id] = calls + 1, suspended, last
            case (CallRated() | CallVoided()) as event if _was_suspended(event):
                count = counts.get(event.device_id, (0, 0, None))
                counts[event.device_id] = count[0], count[1] - 1, count[2]
            case DeviceRegistered() as event:
                place = (event.company_id, event.time_zone, event.country, event.area_code)
                row = (device_id, event.name, event.model, *place, event.format)
                cursor.execute(REGISTER, row)
            case ExtensionAssigned() as event:
                key = (device_id, event.tenant, event.extension)
                assigned[key] = (event.account, event.name)
    if assigned:
        extensions = [(*key, *value) for key, value in assigned.items()]
        cursor.execute(ASSIGN, [list(column) for column in zip(*extensions, strict=True)])
        cursor.execute(COUNT_EXTENSIONS, (list({key[0] for key in assigned}),))
    if counts:
        rows = [(device_id, *count) for device_id, count in counts.items()]
        cursor.execute(ADD_CALLS, [list(column) for column in zip(*rows, strict=True)])


def _was_suspended(event: CallRated | CallVoided) -> bool:
    """Whether a later event of a call ends its suspension: nothing else is rated afterwards."""
    return isinstance(event, CallRated) or event.rating.status == "suspended"

"""Keeping: retention times, archived months, backups."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Cursor

from billing.aggregates.keeping import (
    BackupMade,
    BackupRemoved,
    Keeping,
    KeepingSet,
    MonthArchived,
    MonthAttached,
    MonthDetached,
    NumbersShortened,
    ShorteningSet,
)
from billing.log.store import Recorded

NAME = "keeping"
TABLES = ("keeping", "archives", "backups", "shortened_months")

# The single row is created by the first event of any kind.
BEGIN = """
insert into keeping (months, backup_days, backups_kept) select %s, %s, %s
where not exists (select from keeping)"""
SET = "update keeping set months = %s, backup_days = %s, backups_kept = %s"
DEFAULTS = (Keeping().months, Keeping().backup_days, Keeping().backups_kept)
SET_SHORTENING = "update keeping set shorten_months = %s"
ADD_SHORTENED = """
insert into shortened_months as known (month, last_position, calls, shortened_at)
values (%s, %s, %s, %s)
on conflict (month) do update set calls = known.calls + excluded.calls,
 last_position = greatest(known.last_position, excluded.last_position),
 shortened_at = excluded.shortened_at"""
ADD_ARCHIVE = """
insert into archives (month, part, file, sha256, bytes, events, first_position, last_position,
  calls, amounts, archived_at, attached, shortened)
select %(month)s, %(part)s, %(file)s, %(sha256)s, %(size_bytes)s, %(events)s, %(first_position)s,
 %(last_position)s, %(calls)s, %(amounts)s::jsonb, %(archived_at)s, false,
 exists (select from shortened_months
  where month = %(month)s and last_position >= %(last_position)s)
on conflict (month, part) do update set file = excluded.file, sha256 = excluded.sha256,
 bytes = excluded.bytes, events = excluded.events, calls = excluded.calls"""
SET_ATTACHED = "update archives set attached = %s where month = %s"
ADD_BACKUP = """
insert into backups (file, kind, sha256, bytes, events, period, made_at, made_by, removed)
values (%s, %s, %s, %s, %s, %s, %s, %s, false)
on conflict (file) do update set sha256 = excluded.sha256, bytes = excluded.bytes,
 events = excluded.events, made_at = excluded.made_at, made_by = excluded.made_by,
 removed = false"""
REMOVE_BACKUP = "update backups set removed = true where file = %s"


def apply(cursor: Cursor[Any], batch: Sequence[Recorded]) -> None:
    """Apply a batch of events; they are few, so each is one statement."""
    for recorded in batch:
        envelope = recorded.envelope
        match recorded.event:
            case KeepingSet() as event:
                cursor.execute(BEGIN, DEFAULTS)
                cursor.execute(SET, (event.months, event.backup_days, event.backups_kept))
            case ShorteningSet(months=months):
                cursor.execute(BEGIN, DEFAULTS)
                cursor.execute(SET_SHORTENING, (months,))
            case NumbersShortened() as event:
                shortened = (event.month, event.last_position, event.calls)
                cursor.execute(ADD_SHORTENED, (*shortened, envelope.recorded_at))
            case MonthArchived() as event:
                cursor.execute(ADD_ARCHIVE, _archive(event, envelope.recorded_at))
            case MonthAttached(month=month):
                cursor.execute(SET_ATTACHED, (True, month))
            case MonthDetached(month=month):
                cursor.execute(SET_ATTACHED, (False, month))
            case BackupMade() as event:
                period = f"{event.first}/{event.last}" if event.first else ""
                facts = (event.sha256, event.size_bytes, event.events, period)
                who = (envelope.recorded_at, envelope.actor)
                cursor.execute(ADD_BACKUP, (event.file, event.kind, *facts, *who))
            case BackupRemoved(file=file):
                cursor.execute(REMOVE_BACKUP, (file,))


def _archive(event: MonthArchived, archived_at: datetime) -> dict[str, Any]:
    amounts = {money.currency: money.micros for money in event.amounts}
    return msgspec.structs.asdict(event) | {
        "amounts": msgspec.json.encode(amounts).decode(),
        "archived_at": archived_at,
    }

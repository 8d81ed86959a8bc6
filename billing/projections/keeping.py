"""Keeping: how long calls are kept, which months are archived, which backups there are."""

from collections.abc import Sequence
from typing import Any

import msgspec
from psycopg import Cursor

from billing.aggregates.keeping import (
    BackupMade,
    BackupRemoved,
    KeepingSet,
    MonthArchived,
    MonthAttached,
    MonthDetached,
)
from billing.store import Recorded

NAME = "keeping"
TABLES = ("keeping", "archives", "backups")

FORGET = "delete from keeping"
SET = "insert into keeping (months, backup_days, backups_kept) values (%s, %s, %s)"
ADD_ARCHIVE = """
insert into archives (month, part, file, sha256, bytes, events, first_position, last_position,
  calls, amounts, archived_at, attached)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s, false)"""
SET_ATTACHED = "update archives set attached = %s where month = %s"
ADD_BACKUP = """
insert into backups (file, kind, sha256, bytes, events, period, made_at, made_by, removed)
values (%s, %s, %s, %s, %s, %s, %s, %s, false)"""
REMOVE_BACKUP = "update backups set removed = true where file = %s"


def apply(cursor: Cursor[Any], batch: Sequence[Recorded]) -> None:
    """Follow the keeping; its events are few, so each is one statement."""
    for recorded in batch:
        envelope = recorded.envelope
        match recorded.event:
            case KeepingSet() as event:
                cursor.execute(FORGET)
                cursor.execute(SET, (event.months, event.backup_days, event.backups_kept))
            case MonthArchived() as event:
                cursor.execute(ADD_ARCHIVE, (*_archive(event), envelope.recorded_at))
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


def _archive(event: MonthArchived) -> tuple[Any, ...]:
    amounts = {money.currency: money.micros for money in event.amounts}
    return (
        event.month,
        event.part,
        event.file,
        event.sha256,
        event.size_bytes,
        event.events,
        event.first_position,
        event.last_position,
        event.calls,
        msgspec.json.encode(amounts).decode(),
    )

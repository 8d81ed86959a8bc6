"""Rate groups: name, currency and number of prices."""

from collections.abc import Sequence
from typing import Any

from psycopg import Cursor

from billing.aggregates.rate_group import (
    DeckImported,
    DeckImportUndone,
    RateGroupCreated,
    RateGroupDeleted,
    RateGroupRenamed,
    RatesChanged,
    RatesWithdrawn,
)
from billing.log.store import Recorded

NAME = "rate_groups"
TABLES = ("rate_groups",)

CREATE = """
insert into rate_groups (group_id, name, currency, changed_at) values (%s, %s, %s, %s)"""
CHANGE = "update rate_groups set changed_at = %s where group_id = %s"
RENAME = "update rate_groups set name = %s, changed_at = %s where group_id = %s"
DELETE = "update rate_groups set deleted = true, changed_at = %s where group_id = %s"


def apply(cursor: Cursor[Any], batch: Sequence[Recorded]) -> None:
    """Apply a batch of events to the groups."""
    for recorded in batch:
        group_id, at = recorded.stream.partition(":")[2], recorded.envelope.recorded_at
        match recorded.event:
            case RateGroupCreated(name=name, currency=currency):
                cursor.execute(CREATE, (group_id, name, currency, at))
            case RatesChanged() | RatesWithdrawn() | DeckImported() | DeckImportUndone():
                cursor.execute(CHANGE, (at, group_id))
            case RateGroupRenamed(name=name):
                cursor.execute(RENAME, (name, at, group_id))
            case RateGroupDeleted():
                cursor.execute(DELETE, (at, group_id))

"""The log of operations: every event but those of calls, as who did what, when, from where."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from psycopg import Cursor
from psycopg.types.json import Jsonb

from billing.aggregates.event import Event
from billing.log.store import Recorded
from billing.values import Money

NAME = "operations"
TABLES = ("operations",)

ADD = "insert into operations values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
NAMED = {"companies"}  # lists that are told as they are
# Secrets, and the digests of files: they tell a reader nothing.
HIDDEN = {"digest", "sha256", "before", "after"}
# Events that speak of the same thing: the one before tells what was changed.
FAMILIES = {
    "AdministratorAdded": "administrator",
    "AdministratorChanged": "administrator",
    "CompanyOpened": "company",
    "CompanyChanged": "company",
    "UserAccountOpened": "account",
    "GatewayAccountOpened": "account",
    "SubAccountRenamed": "account",
    "LimitsSet": "limits",
    "AdministratorLimited": "companies",
}
CHANGES = ("Set", "Changed", "Assigned", "Named", "Bound", "Replaced", "Renamed", "Edited")
PARTS = ("tenant", "extension", "trunk")  # of a stream: each has a history of its own


def apply(cursor: Cursor[Any], batch: Sequence[Recorded]) -> None:
    """Note what a batch says."""
    rows = [_row(recorded) for recorded in batch]
    if rows:
        cursor.executemany(ADD, rows)


def _row(recorded: Recorded) -> tuple[Any, ...]:
    said, topic = recorded.envelope, recorded.topic.partition(".")[0]
    fields = fields_of(recorded.event)
    return (
        recorded.position,
        said.recorded_at,
        said.actor,
        said.address,
        said.request_id,
        recorded.stream,
        recorded.stream.partition(":")[0],
        topic,
        _family(topic, fields),
        Jsonb(fields),
        said.token_id,
    )


def _family(topic: str, fields: dict[str, Any]) -> str:
    family = FAMILIES.get(topic, topic if topic.endswith(CHANGES) else "")
    parts = [str(fields[part]) for part in PARTS if fields.get(part)]
    return "/".join([family, *parts]) if family else ""


def fields_of(event: Event) -> dict[str, Any]:
    """What an event says, for people: plain values, sums by currency, of lists their lengths."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(type(event)):
        value = getattr(event, field.name)
        if field.name in HIDDEN or isinstance(value, msgspec.Struct):
            continue
        if field.name in NAMED:
            value = list(value)
        elif isinstance(value, tuple) and value and isinstance(value[0], Money):
            value = {money.currency: money.micros for money in value}
        elif isinstance(value, tuple | list | dict):
            value = len(value)
        elif isinstance(value, datetime | date):
            value = value.isoformat()
        if value not in (None, ""):
            found[field.name] = value
    return found

"""The log of operations: every event except those of calls, with actor, time and IP address."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from psycopg import Cursor
from psycopg.types.json import Jsonb

from billing.aggregates.event import Event
from billing.aggregates.extension import ExtensionsAssigned
from billing.log.store import Recorded
from billing.values import Money

NAME = "operations"
TABLES = ("operations",)

ADD = "insert into operations values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
NAMED = {"companies"}  # lists stored with their values
# Secrets, and digests of files, which are of no use to a reader.
HIDDEN = {"digest", "sha256", "before", "after"}
# Events about the same thing: the previous one shows what changed.
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
    "ExtensionsAssigned": "ExtensionAssigned",  # the event of version 0.1 that assigned one
}
CHANGES = ("Set", "Changed", "Assigned", "Named", "Bound", "Replaced", "Renamed", "Edited")
PARTS = ("tenant", "extension", "trunk")  # parts of a stream with their own history


def apply(cursor: Cursor[Any], batch: Sequence[Recorded]) -> None:
    """Add a row for each event of a batch."""
    rows = [_row(recorded) for recorded in batch]
    if rows:
        cursor.executemany(ADD, rows)


def _row(recorded: Recorded) -> tuple[Any, ...]:
    envelope, topic = recorded.envelope, recorded.topic.partition(".")[0]
    fields = fields_of(recorded.event)
    return (
        recorded.position,
        envelope.recorded_at,
        envelope.actor,
        envelope.address,
        envelope.request_id,
        recorded.stream,
        recorded.stream.partition(":")[0],
        topic,
        _family(topic, fields),
        Jsonb(fields),
        envelope.token_id,
    )


def _family(topic: str, fields: dict[str, Any]) -> str:
    family = FAMILIES.get(topic, topic if topic.endswith(CHANGES) else "")
    parts = [str(fields[part]) for part in PARTS if fields.get(part)]
    return "/".join([family, *parts]) if family else ""


def fields_of(event: Event) -> dict[str, Any]:
    """What an event says, for people: plain values, sums by currency, of lists their lengths."""
    told: msgspec.Struct = event
    if isinstance(event, ExtensionsAssigned) and len(event.entries) == 1:
        told = event.entries[0]
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(type(told)):
        value = getattr(told, field.name)
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

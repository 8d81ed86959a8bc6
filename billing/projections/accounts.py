"""Companies, user accounts and gateway accounts with name, state and limits.

Their events are few compared to calls, so each is one statement, sent together per batch.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from psycopg import Cursor

from billing.aggregates.account import (
    LimitsSet,
    LowBalanceOver,
    LowBalanceWarned,
    standing_after,
)
from billing.aggregates.company import (
    CompanyChanged,
    CompanyOpened,
    PinGiven,
    RateGroupBound,
    opening_credit,
)
from billing.aggregates.device import TrunkAssigned
from billing.aggregates.event import Event
from billing.aggregates.extension import ExtensionsAssigned
from billing.aggregates.statement import StatementClosed
from billing.aggregates.sub_account import (
    GatewayAccountOpened,
    SubAccountRenamed,
    UserAccountOpened,
)
from billing.log.store import Recorded

NAME = "accounts"
TABLES = ("accounts", "rate_group_bindings", "account_lines", "account_pins")

OPEN = """
insert into accounts (account, kind, company_id, name, currency, own_wallet, state, time_zone,
  rate_group, payment, opened_at, credit_limit_micros)
values (%s, %s, %s, %s, %s, %s, 'open', %s, '', %s, %s, %s)"""
BIND = "insert into rate_group_bindings values (%s, %s, %s, %s, %s, %s)"
GIVE = """
insert into account_lines values (%s, %s, %s, %s, %s, %s, %s)
on conflict (device_id, kind, tenant, line, given_at) do update set account = excluded.account,
 valid_from = excluded.valid_from"""
GIVE_PIN = "insert into account_pins values (%s, %s, %s, %s, %s)"
SET_STANDING = """
update accounts set state = %s, frozen_by_policy = %s, frozen_reason = %s
where account = %s and state <> 'closed'"""
SET_VERSIONS = """
update accounts set version = new.version from unnest(%s::text[], %s::int8[]) as new (id, version)
where account = id"""
KINDS = ("company:", "user:", "gateway:")


def apply(cursor: Cursor[Any], batch: Sequence[Recorded]) -> None:
    """Apply a batch of events to the accounts."""
    if opened := [row for recorded in batch if (row := _opened(recorded))]:
        cursor.executemany(OPEN, opened)
    if given := [row for recorded in batch for row in _given(recorded)]:
        cursor.executemany(GIVE, given)
    if bound := [row for recorded in batch if (row := _bound(recorded))]:
        cursor.executemany(BIND, bound)
    if pins := [row for recorded in batch if (row := _pin(recorded))]:
        cursor.executemany(GIVE_PIN, pins)
    own = [recorded for recorded in batch if recorded.stream.startswith(KINDS)]
    standings = [
        (*msgspec.structs.astuple(standing), recorded.stream)
        for recorded in own
        if (standing := standing_after(recorded.event))
    ]
    if standings:
        cursor.executemany(SET_STANDING, standings)
    _set_columns(cursor, own)


def _set_columns(cursor: Cursor[Any], own: Sequence[Recorded]) -> None:
    """Set what the events of the accounts' own streams change, and the accounts' versions."""
    changes: dict[str, list[tuple[Any, ...]]] = {}  # SET clause -> parameters
    for recorded in own:
        if fields := _changed(recorded.event):
            names = ", ".join(f"{name} = %s" for name in fields)
            changes.setdefault(names, []).append((*fields.values(), recorded.stream))
    for names, rows in changes.items():
        cursor.executemany(f"update accounts set {names} where account = %s".encode(), rows)
    versions = {recorded.stream: recorded.version for recorded in own}
    if versions:
        cursor.execute(SET_VERSIONS, (list(versions), list(versions.values())))


def _pin(recorded: Recorded) -> tuple[Any, ...]:
    """Return the row of an assigned or withdrawn PIN; () for any other event."""
    event = recorded.event
    if not isinstance(event, PinGiven):
        return ()
    company_id = recorded.stream.partition(":")[2]
    return (company_id, event.digest, recorded.position, event.account, event.valid_from)


def _bound(recorded: Recorded) -> tuple[Any, ...]:
    """Return the row of a binding to a rate group; () for any other event."""
    if not isinstance(recorded.event, RateGroupBound):
        return ()
    event, envelope = recorded.event, recorded.envelope
    place = recorded.stream.partition(":")[2], recorded.position
    return (*place, event.group_id, event.valid_from, envelope.recorded_at, envelope.actor)


def _opened(recorded: Recorded) -> tuple[Any, ...]:
    """Return the row of a new account; () for any other event."""
    opened_at = recorded.envelope.recorded_at
    kind, _, own_id = recorded.stream.partition(":")
    match recorded.event:
        case CompanyOpened() as event:
            row = (own_id, event.name, event.currency, True, event.time_zone, event.payment)
            return (recorded.stream, kind, *row, opened_at, opening_credit(event))
        case UserAccountOpened() | GatewayAccountOpened() as event:
            row = (event.company_id, event.name, event.currency, event.own_wallet, "", "")
            return (recorded.stream, kind, *row, opened_at, None)
        case _:
            return ()


def _given(recorded: Recorded) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of assigned extensions or of a trunk; none for any other event."""
    device_id, event = recorded.stream.partition(":")[2], recorded.event
    if isinstance(event, TrunkAssigned):
        line = ("", event.trunk, "trunk")
        yield (device_id, *line, recorded.position, event.account, event.valid_from)
    for entry in event.entries if isinstance(event, ExtensionsAssigned) else ():
        line = (entry.tenant, entry.extension, "extension")
        yield (device_id, *line, recorded.position, entry.account, entry.valid_from)


def _changed(event: Event) -> dict[str, Any]:
    """Return the columns that an event changes, with their new values."""
    row: dict[str, Any] = {}
    match event:
        case RateGroupBound(group_id=group_id):
            row = {"rate_group": group_id}
        case SubAccountRenamed(name=name):
            row = {"name": name}
        case StatementClosed(month=month):
            row = {"statements_through": month}
        case LowBalanceWarned() | LowBalanceOver():
            row = {"warned": isinstance(event, LowBalanceWarned)}
        case CompanyChanged() | LimitsSet():
            row = msgspec.structs.asdict(event)  # field names equal column names
    return row

"""What people do with corrections: request, apply, stop and continue them.

The row of the queue and the event about it are written in one transaction.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from psycopg import Cursor

from billing.aggregates import rerating
from billing.aggregates.event import Envelope, Event
from billing.aggregates.reason import needed
from billing.commands.deciding import ATTEMPTS
from billing.log.store import Conflict, Pending, Store
from billing.rerating.queue import CHANNEL, CallSelection, Step
from billing.values import Refused

REQUEST = """
insert into corrections
 (correction_id, kind, asked, state, applying, actor, address, asked_at, steps)
values (%s, %s, %s::jsonb, 'waiting', %s, %s, %s, %s, %s::jsonb)"""
CHANGES = {
    "applied": """
update corrections set steps = steps || %s::jsonb, state = 'waiting', applying = true,
  looked_at = 0, place = null, ended_at = null, outdated = ''
where correction_id = %s and kind = 'rerate' and state = 'ready'""",
    "stopped": """
update corrections set steps = steps || %s::jsonb, state = 'cancelled', ended_at = now()
where correction_id = %s and state in ('waiting', 'running', 'ready')""",
    "resumed": """
update corrections set steps = steps || %s::jsonb, state = 'waiting', ended_at = null,
  problem = ''
where correction_id = %s and state in ('failed', 'cancelled')""",
}
# Rows of older versions have the request in columns of their own only.
COMPLETE = """
update corrections set steps = jsonb_build_array(jsonb_build_object(
  'what', 'requested', 'actor', actor, 'address', address, 'at', asked_at))
where correction_id = %s and steps = '[]'"""
EVENTS: dict[str, type[Event]] = {
    "applied": rerating.CorrectionApplied,
    "stopped": rerating.CorrectionStopped,
    "resumed": rerating.CorrectionResumed,
}
WITHOUT_PREVIEW = ("recycle", "write_off")


class RequestCorrection(msgspec.Struct, frozen=True, kw_only=True):
    """A correction of selected calls; a re-rating and a what-if get a preview."""

    correction_id: str
    kind: Literal["recycle", "rerate", "what_if", "write_off"]
    selection: CallSelection


class ChangeCorrection(msgspec.Struct, frozen=True, kw_only=True):
    """A decision on a correction that was requested."""

    correction_id: str
    kind: str
    what: Literal["applied", "stopped", "resumed"]


def request(store: Store, command: RequestCorrection, envelope: Envelope) -> int:
    """Queue a correction; return the position of the event. Refused if a write-off has no reason.

    A recycling and a write-off need no preview.
    """
    selection = command.selection
    if command.kind == "write_off":
        needed(selection.note)
    event = rerating.CorrectionRequested(
        kind=command.kind, with_group=selection.with_group, **selection_of(selection)
    )
    values = (
        command.correction_id,
        command.kind,
        msgspec.json.encode(selection).decode(),
        command.kind in WITHOUT_PREVIEW,
        envelope.actor,
        envelope.address,
        envelope.recorded_at,
        _steps("requested", envelope),
    )
    return _append(store, command.correction_id, event, envelope, [(REQUEST, values)])


def change(store: Store, command: ChangeCorrection, envelope: Envelope) -> int:
    """Apply, stop or continue a correction; return the position of the event.

    Refused if its state does not allow that. What a stopped one has appended stays.
    """
    own_id = command.correction_id
    statements = [
        (COMPLETE, (own_id,)),
        (CHANGES[command.what], (_steps(command.what, envelope), own_id)),
    ]
    event = EVENTS[command.what](kind=command.kind)
    return _append(store, own_id, event, envelope, statements)


def selection_of(selection: CallSelection) -> dict[str, Any]:
    """Return a selection as the fields of the events of corrections."""
    known = rerating.SelectionOfCalls.__struct_fields__
    values = msgspec.structs.asdict(selection)
    return {name: values[name] for name in known if name in values} | {
        "limited_to": selection.companies
    }


def _steps(what: str, envelope: Envelope) -> str:
    step = Step(
        what=what,
        actor=envelope.actor,
        address=envelope.address,
        token_id=envelope.token_id,
        at=envelope.recorded_at,
    )
    return msgspec.json.encode([step]).decode()


def _append(
    store: Store,
    correction_id: str,
    event: Event,
    envelope: Envelope,
    statements: Sequence[tuple[str, Sequence[Any]]],
) -> int:
    """Append an event and change the row; the last statement must find one."""

    def write(cursor: Cursor[Any]) -> None:
        for statement, values in statements:
            cursor.execute(statement.encode(), values)
        if not cursor.rowcount:
            raise Refused("The state of this re-rating does not allow that.")
        cursor.execute(f"notify {CHANNEL}".encode())

    stream = rerating.stream_of(correction_id)
    for _ in range(ATTEMPTS):
        pending = Pending(stream, store.version(stream) + 1, event, envelope)
        try:
            return store.append([pending], in_transaction=write)
        except Conflict:
            continue
    raise Refused("Somebody else changed this at the same moment. Try again.")

"""How every command is carried out: load the stream, decide, append; on a conflict decide again."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from billing.aggregates.event import Envelope, Event
from billing.log.store import Conflict, Pending, Recorded, Store
from billing.values import Refused

S = TypeVar("S")
ATTEMPTS = 3


class Overtaken(Refused):
    """What somebody looked at when deciding was changed by somebody else in between."""

    def __init__(self, since: Sequence[Recorded]) -> None:
        super().__init__("Somebody else changed this while you were at it. Look again and decide.")
        self.since = since


class RowsRefused(Refused):
    """Some decisions of many were refused, so none was carried out; each with its place."""

    def __init__(self, rows: Sequence[tuple[int, Refused]]) -> None:
        super().__init__("%(n)s rows can't be taken. Nothing was changed.", n=len(rows))
        self.rows = rows


class Step(msgspec.Struct, frozen=True):
    """One decision of many. `decision` is given None for a stream that is not there yet."""

    stream: str
    evolve: Callable[[Any, Event], Any]
    decision: Callable[[Any], Sequence[Event]]
    place: int = 0  # the row it is for


def fold(evolve: Callable[[S | None, Event], S | None], events: Iterable[Recorded]) -> S | None:
    """The state after all events of a stream; None if there are none."""
    state: S | None = None
    for recorded in events:
        state = evolve(state, recorded.event)
    return state


def existing(store: Store, stream: str, evolve: Callable[[S | None, Event], S | None]) -> S:
    """The state of a stream that must be there."""
    return there(fold(evolve, store.load(stream)), stream)


def there(state: S | None, stream: str) -> S:
    """The state. Refused where there is none."""
    if state is None:
        raise Refused("There is no %(stream)s.", stream=stream)
    return state


def decide_new(
    store: Store,
    stream: str,
    evolve: Callable[[S | None, Event], S | None],
    decision: Callable[[S | None], Sequence[Event]],
    envelope: Envelope,
) -> int:
    """Decide on a stream that may not be there yet; the position of the last event appended."""
    return decide_many(store, [Step(stream, evolve, decision)], envelope)


def decide(
    store: Store,
    stream: str,
    evolve: Callable[[S | None, Event], S | None],
    decision: Callable[[S], Sequence[Event]],
    envelope: Envelope,
    *,
    seen: int | None = None,
    harmless: tuple[type[Event], ...] = (),
) -> int:
    """The same for a stream that must be there.

    `seen` is the version that the one who decides looked at; Overtaken if other events than
    `harmless` ones came since.
    """
    if seen is not None:
        since = [each for each in store.load(stream)[seen:] if not isinstance(each.event, harmless)]
        if since:
            raise Overtaken(since)
    return decide_many(
        store, [Step(stream, evolve, lambda state: decision(there(state, stream)))], envelope
    )


def decide_many(store: Store, steps: Sequence[Step], envelope: Envelope) -> int:
    """Carry out all decisions in one append, or none; the position of the last event, or 0.

    A stream may be decided on several times. One refusal of one step is raised as it is,
    refusals of many steps as RowsRefused with their places.
    """
    streams = list({step.stream for step in steps})
    for _ in range(ATTEMPTS):
        recorded = store.load_many(streams)
        pending = _decide_all(steps, recorded, envelope)
        if not pending:
            return 0
        try:
            return store.append(pending)
        except Conflict:
            continue
    raise Refused("Somebody else changed this at the same moment. Please try again.")


def _decide_all(
    steps: Sequence[Step], recorded: dict[str, list[Recorded]], envelope: Envelope
) -> list[Pending]:
    states: dict[str, Any] = {}
    versions = {stream: len(events) for stream, events in recorded.items()}
    pending, refused = list[Pending](), list[tuple[int, Refused]]()
    for step in steps:
        stream = step.stream
        if stream not in states:
            states[stream] = fold(step.evolve, recorded.get(stream, ()))
        try:
            events = step.decision(states[stream])
        except Refused as refusal:
            if len(steps) == 1:
                raise
            refused.append((step.place, refusal))
            continue
        for event in events:
            versions[stream] = versions.get(stream, 0) + 1
            pending.append(Pending(stream, versions[stream], event, envelope))
            states[stream] = step.evolve(states[stream], event)
    if refused:
        raise RowsRefused(refused)
    return pending

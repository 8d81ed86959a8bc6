"""How each command runs: load the stream, decide, append; after a conflict, decide again."""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from billing.aggregates.event import Envelope, Event
from billing.log.store import Conflict, Pending, Recorded, Store
from billing.values import Refused

S = TypeVar("S")
ATTEMPTS = 3
ADDING = 40  # attempts of a command that only adds: others add to the same stream all the time
LONGEST_PAUSE = 0.1  # seconds between two attempts; 40 attempts then pause for two seconds


class Overtaken(Refused):
    """Somebody else changed the stream after the version that the decision is based on."""

    def __init__(self, since: Sequence[Recorded]) -> None:
        super().__init__("Somebody else changed this in the meantime. Check it and try again.")
        self.since = since


class RowsRefused(Refused):
    """Decisions of a batch were refused, so none was appended; `rows` has (index, refusal)."""

    def __init__(self, rows: Sequence[tuple[int, Refused]]) -> None:
        super().__init__("%(n)s rows can't be imported. Nothing was changed.", n=len(rows))
        self.rows = rows


class Step(msgspec.Struct, frozen=True):
    """One decision of a batch. `decision` gets None for a stream that does not exist yet."""

    stream: str
    evolve: Callable[[Any, Event], Any]
    decision: Callable[[Any], Sequence[Event]]
    place: int = 0  # index of its row in the batch


def fold(evolve: Callable[[S | None, Event], S | None], events: Iterable[Recorded]) -> S | None:
    """Return the state after all events of a stream; None if there are none."""
    state: S | None = None
    for recorded in events:
        state = evolve(state, recorded.event)
    return state


def load_existing(store: Store, stream: str, evolve: Callable[[S | None, Event], S | None]) -> S:
    """Load and fold a stream. Refused if it does not exist."""
    return require(fold(evolve, store.load(stream)), stream)


def require(state: S | None, stream: str) -> S:
    """Return `state`. Refused if it is None."""
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
    """Decide on a stream that may not exist yet; return the position of the last event, or 0."""
    return decide_many(store, [Step(stream, evolve, decision)], envelope)


def decide(
    store: Store,
    stream: str,
    evolve: Callable[[S | None, Event], S | None],
    decision: Callable[[S], Sequence[Event]],
    envelope: Envelope,
    *,
    seen: int | None = None,
    ignored: tuple[type[Event], ...] = (),
    attempts: int = ATTEMPTS,
) -> int:
    """Decide on a stream that must exist; return the position of the last event, or 0.

    `seen` is the version that the decision is based on; raises Overtaken if later events exist,
    except `ignored` ones. `attempts` as in `decide_many`.
    """
    if seen is not None:
        since = [each for each in store.load(stream)[seen:] if not isinstance(each.event, ignored)]
        if since:
            raise Overtaken(since)
    step = Step(stream, evolve, lambda state: decision(require(state, stream)))
    return decide_many(store, [step], envelope, attempts=attempts)


def decide_many(
    store: Store, steps: Sequence[Step], envelope: Envelope, *, attempts: int = ATTEMPTS
) -> int:
    """Append the events of all decisions, or of none; return the position of the last event, or 0.

    Several steps may have the same stream. A single step's refusal is raised unchanged; refusals of
    several steps as RowsRefused. After `attempts` that others were faster than it is Refused too;
    commands that only add pass ADDING.
    """
    streams = list({step.stream for step in steps})
    for attempt in range(attempts):
        if attempt:
            _pause(attempt)
        recorded = store.load_many(streams)
        pending = _decide_all(steps, recorded, envelope)
        try:
            return store.append(pending)  # none: what was done before is durable when this returns
        except Conflict:
            continue
    raise Refused("Somebody else changed this at the same moment. Try again.")


def _pause(attempt: int) -> None:
    """Wait before the next attempt, longer each time, so that writers don't meet again."""
    longest: float = min(LONGEST_PAUSE, 0.002 * 2**attempt)
    time.sleep(random.uniform(0, longest))  # noqa: S311 -- keeps no secret


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

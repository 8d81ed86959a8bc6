"""How every command is carried out: load the stream, decide, append; on a conflict decide again."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from billing.aggregates.event import Envelope, Event
from billing.store import Conflict, Pending, Recorded, Store
from billing.values import Refused

S = TypeVar("S")
ATTEMPTS = 3


def fold(evolve: Callable[[S | None, Event], S | None], events: Iterable[Recorded]) -> S | None:
    """The state after all events of a stream; None if there are none."""
    state: S | None = None
    for recorded in events:
        state = evolve(state, recorded.event)
    return state


def existing(store: Store, stream: str, evolve: Callable[[S | None, Event], S | None]) -> S:
    """The state of a stream that must be there."""
    state = fold(evolve, store.load(stream))
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
    for _ in range(ATTEMPTS):
        recorded = store.load(stream)
        events = decision(fold(evolve, recorded))
        first = len(recorded) + 1
        try:
            return store.append(
                [Pending(stream, first + i, event, envelope) for i, event in enumerate(events)]
            )
        except Conflict:
            continue
    raise Refused("Somebody else changed this at the same moment. Please try again.")


def decide(
    store: Store,
    stream: str,
    evolve: Callable[[S | None, Event], S | None],
    decision: Callable[[S], Sequence[Event]],
    envelope: Envelope,
) -> int:
    """The same for a stream that must be there."""

    def on_existing(state: S | None) -> Sequence[Event]:
        if state is None:
            raise Refused("There is no %(stream)s.", stream=stream)
        return decision(state)

    return decide_new(store, stream, evolve, on_existing, envelope)

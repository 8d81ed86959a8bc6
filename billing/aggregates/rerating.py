"""The summary of a whole correction; each changed call has its own events."""

from datetime import datetime

from billing.aggregates.event import Event
from billing.values import Money


class CorrectionEnded(Event, frozen=True, kw_only=True):
    """A correction ended: done, cancelled or failed. A resumed one ends again."""

    kind: str  # recycle, rerate
    outcome: str  # done, cancelled, failed
    calls: int  # processed
    changed: int
    stuck: int  # calls that can't be rated and stay unchanged
    amounts_before: tuple[Money, ...]  # of all calls, one per currency
    amounts_after: tuple[Money, ...]
    begin: datetime | None = None  # start of the selection; a criterion that is not set admits all
    end: datetime | None = None
    limited_to: tuple[str, ...] = ()  # companies of a limited administrator's request
    company_id: str = ""
    group_id: str = ""
    device_id: str = ""
    reason: str = ""  # of the suspension


def stream_of(about: str) -> str:
    """Return the stream id of a correction; `about` is its id, or the stream of a single call."""
    return f"correction:{about}"


def end(before: CorrectionEnded | None, event: CorrectionEnded) -> list[Event]:
    """Record how a correction ended; return no event if that is already recorded."""
    return [] if event == before else [event]


def evolve(_: CorrectionEnded | None, event: Event) -> CorrectionEnded | None:
    """Return the last recorded end."""
    return event if isinstance(event, CorrectionEnded) else None

"""A correction as a whole: its calls have their events, this is the line that sums them up."""

from datetime import datetime

from billing.aggregates.event import Event
from billing.values import Money


class CorrectionEnded(Event, frozen=True, kw_only=True):
    """Calls were rated again because a person asked for it. Ended again if it was gone on with."""

    kind: str  # recycle, rerate
    outcome: str  # done, cancelled, failed
    calls: int  # looked at
    changed: int
    stuck: int  # that can't be rated, and stay as they were
    amounts_before: tuple[Money, ...]  # of all of them, one a currency
    amounts_after: tuple[Money, ...]
    begin: datetime | None = None  # which calls; what is not said admits all
    end: datetime | None = None
    limited_to: tuple[str, ...] = ()  # the companies that whoever asked is limited to
    company_id: str = ""
    group_id: str = ""
    device_id: str = ""
    reason: str = ""  # of their suspension


def stream_of(about: str) -> str:
    """The stream of a correction, by its id; or of the corrections of one call, by its stream."""
    return f"correction:{about}"


def end(before: CorrectionEnded | None, event: CorrectionEnded) -> list[Event]:
    """Note how it ended, once."""
    return [] if event == before else [event]


def evolve(_: CorrectionEnded | None, event: Event) -> CorrectionEnded | None:
    """What was said last."""
    return event if isinstance(event, CorrectionEnded) else None

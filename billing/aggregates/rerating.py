"""Corrections as a whole: what people decide on them, and their result.

Each changed call has its own events. How far a correction is stands in the table `corrections`.
"""

from datetime import datetime

from billing.aggregates.event import Event
from billing.values import Money


class SelectionOfCalls(Event, frozen=True, kw_only=True):
    """The calls that a correction is about; a criterion that is not set admits all."""

    begin: datetime | None = None
    end: datetime | None = None
    limited_to: tuple[str, ...] = ()  # companies of a limited administrator's request
    company_id: str = ""
    group_id: str = ""
    device_id: str = ""
    reason: str = ""  # of the suspension
    in_month: str = ""  # "2026-08", in UTC like the months of the log
    note: str = ""  # why the calls are written off


class CorrectionRequested(SelectionOfCalls, frozen=True, kw_only=True):
    """A person requested a preview, or what needs no preview."""

    kind: str  # recycle, rerate, what_if, write_off
    with_group: str = ""  # what-if: the group to rate with


class CorrectionApplied(Event, frozen=True, kw_only=True):
    """A person had a preview applied."""

    kind: str


class CorrectionStopped(Event, frozen=True, kw_only=True):
    """A person stopped a correction or discarded its preview. What it had written stays."""

    kind: str


class CorrectionResumed(Event, frozen=True, kw_only=True):
    """A person had a stopped or failed correction continued."""

    kind: str


class CorrectionEnded(SelectionOfCalls, frozen=True, kw_only=True):
    """A correction ended: done, cancelled or failed. A resumed one ends again."""

    kind: str  # recycle, rerate, write_off
    outcome: str  # done, cancelled, failed
    calls: int  # processed
    changed: int
    stuck: int  # calls that can't be rated and stay unchanged
    amounts_before: tuple[Money, ...]  # of all calls, one per currency
    amounts_after: tuple[Money, ...]


def stream_of(about: str) -> str:
    """Return the stream id of a correction; `about` is its id, or the stream of a single call."""
    return f"correction:{about}"


def end(before: CorrectionEnded | None, event: CorrectionEnded) -> list[Event]:
    """Record how a correction ended; return no event if that is already recorded."""
    return [] if event == before else [event]


def evolve(before: CorrectionEnded | None, event: Event) -> CorrectionEnded | None:
    """Return the last recorded end; None once a person has had the correction continued."""
    if isinstance(event, CorrectionApplied | CorrectionResumed):
        return None
    return event if isinstance(event, CorrectionEnded) else before

"""Two records of one conversation, written by a device and by its upper device: one is charged.

A record has at most one partner. Of several candidates the closest one is chosen; a closer record
that arrives later takes the place of the present partner. So the order of arrival does not matter.
"""

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from billing.aggregates.call import (
    CASCADED,
    Call,
    CallLinked,
    CallParted,
    CallReinstated,
    evolve,
    void,
)
from billing.aggregates.event import Event
from billing.aggregates.reason import needed
from billing.values import Refused

Closeness = tuple[int, int, str, str]  # microseconds, milliseconds, the two streams
MICROSECOND = timedelta(microseconds=1)


class Record(msgspec.Struct, frozen=True):
    """A call record and its stream."""

    stream: str
    call: Call


def closeness(one: Record, two: Record) -> Closeness:
    """How far two records differ: in start, then in duration. No two pairs are equal."""
    apart = abs(one.call.filed_at - two.call.filed_at) // MICROSECOND
    longer = abs(one.call.cdr.billed_ms - two.call.cdr.billed_ms)
    return apart, longer, min(one.stream, two.stream), max(one.stream, two.stream)


def link(
    charged: Record, other: Record, known: Mapping[str, Call]
) -> dict[str, list[Event]] | None:
    """Charge only one of two records of the same conversation; return the events by stream.

    A partner that either has now is parted from it, if it resembles it less; `known` has these
    partners. None if either is suspended or voided for another reason, if a person parted the two,
    or if a present partner is closer or not in `known`.
    """
    if other.stream in charged.call.parted or not (_may_pair(charged) and _may_pair(other)):
        return None
    events: dict[str, list[Event]] = {charged.stream: [], other.stream: []}
    for record, rival in ((charged, other), (other, charged)):
        if not record.call.partner:
            continue
        left = known.get(record.call.partner)
        if left is None:
            return None
        if closeness(record, rival) >= closeness(record, Record(record.call.partner, left)):
            return None
        events[record.stream] += _part(record.call, closer=rival.stream)
        events[record.call.partner] = _part(left, closer=rival.stream)
    events[charged.stream].append(
        CallLinked(filed_at=charged.call.filed_at, partner=other.stream, charged=True)
    )
    state: Call | None = other.call
    for event in events[other.stream]:
        state = evolve(state, event)
    events[other.stream] += [
        CallLinked(filed_at=other.call.filed_at, partner=charged.stream, charged=False),
        *void(state or other.call, CASCADED),
    ]
    return events


def part(one: Record, two: Record, reason: str) -> dict[str, list[Event]]:
    """Part two linked records because a person says so; return the events by stream.

    The voided record is charged again. Refused without a reason, and if the two are not linked.
    """
    why = needed(reason)
    if one.call.partner != two.stream or two.call.partner != one.stream:
        raise Refused("This call is not paired with another one.")
    return {each.stream: _part(each.call, reason=why) for each in (one, two)}


def _may_pair(record: Record) -> bool:
    call = record.call
    return call.rating.status == "rated" and (not call.voided or call.cascaded)


def _part(call: Call, *, reason: str = "", closer: str = "") -> list[Event]:
    """Part a record from its partner; it is charged again if the partner was charged instead."""
    parted = CallParted(filed_at=call.filed_at, partner=call.partner, reason=reason, closer=closer)
    if not call.cascaded:
        return [parted]
    again = CallReinstated(
        device_id=call.device_id, filed_at=call.filed_at, cdr=call.cdr, rating=call.rating
    )
    return [parted, again]

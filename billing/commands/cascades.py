"""Linking two records of one conversation, written by a device and by its upper device."""

from collections.abc import Mapping, Sequence

import msgspec

from billing.aggregates import call, pairs
from billing.aggregates.device import PairParted
from billing.aggregates.event import Envelope, Event
from billing.aggregates.pairs import Record
from billing.aggregates.reason import trimmed
from billing.commands.deciding import ATTEMPTS, fold, require
from billing.log.sealing import CALLS
from billing.log.store import Conflict, Pending, Recorded, Store
from billing.values import Refused

Loaded = Mapping[str, Sequence[Recorded]]


class Pair(msgspec.Struct, frozen=True):
    """The stream ids of two records of one conversation."""

    charged: str
    other: str


class LinkCalls(msgspec.Struct, frozen=True, kw_only=True):
    """Link pairs of records: both are kept, one is charged.

    Pairs that are settled stay unchanged. The first pairs take precedence over later ones.
    """

    pairs: Sequence[Pair]


class PartCalls(msgspec.Struct, frozen=True, kw_only=True):
    """Part a record from its partner: each is charged, and the two are never linked again."""

    stream: str  # of either record
    reason: str


def link_calls(store: Store, command: LinkCalls, envelope: Envelope) -> int:
    """Link the pairs and reverse what uncharged records posted; return the last position, or 0."""
    streams = [stream for pair in command.pairs for stream in (pair.charged, pair.other)]
    for _ in range(ATTEMPTS):
        loaded = store.load_many(streams)
        partners = {state.partner for state in _states(loaded).values() if state.partner}
        loaded |= store.load_many(sorted(partners - loaded.keys()))
        states = _states(loaded)
        pending: list[Pending] = []
        taken: set[str] = set()
        for pair in command.pairs:
            charged, other = states.get(pair.charged), states.get(pair.other)
            if charged is None or other is None:
                continue
            events = pairs.link(Record(pair.charged, charged), Record(pair.other, other), states)
            if events is None or taken & events.keys():
                continue
            taken |= events.keys()
            pending += _pending(loaded, events, envelope)
        try:
            return store.append(pending) if pending else 0
        except Conflict:
            continue
    return 0  # the next run finds the pairs again


def part_calls(store: Store, command: PartCalls, envelope: Envelope) -> int:
    """Charge the voided record of a pair again; return the last position.

    Refused without a reason, if the record has no partner, and if either is in an archived month.
    """
    for _ in range(ATTEMPTS):
        loaded = store.load_many([command.stream])
        state = require(_states(loaded).get(command.stream), command.stream)
        loaded |= store.load_many([state.partner])
        states = _states(loaded)
        partner = states.get(state.partner)
        if state.partner and partner is None:
            raise Refused("The other call is in an archived month. Attach the month first.")
        one, two = Record(command.stream, state), Record(state.partner, partner or state)
        events = pairs.part(one, two, command.reason)
        again, charged = (one, two) if state.voided else (two, one)
        device = f"device:{again.call.device_id}"
        loaded |= store.load_many([device])
        events[device] = [
            PairParted(
                charged_again=again.stream[len(CALLS) :],
                partner=charged.stream[len(CALLS) :],
                reason=trimmed(command.reason),
            )
        ]
        try:
            return store.append(_pending(loaded, events, envelope))
        except Conflict:
            continue
    raise Refused("Somebody else changed this at the same moment. Try again.")


def _states(loaded: Loaded) -> dict[str, call.Call]:
    """Return the calls of streams; without those whose first events are archived."""
    states = {stream: fold(call.evolve, events) for stream, events in loaded.items()}
    return {stream: state for stream, state in states.items() if state}


def _pending(
    loaded: Loaded, events: Mapping[str, Sequence[Event]], envelope: Envelope
) -> list[Pending]:
    return [
        Pending(stream, version, event, envelope)
        for stream, of_stream in events.items()
        for version, event in enumerate(of_stream, len(loaded[stream]) + 1)
    ]

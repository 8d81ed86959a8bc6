"""Linking two records of one conversation, written by a device and by its upper device."""

from collections.abc import Sequence

import msgspec

from billing.aggregates import call
from billing.aggregates.event import Envelope
from billing.commands.deciding import ATTEMPTS, fold
from billing.log.store import Conflict, Pending, Store


class Pair(msgspec.Struct, frozen=True):
    """The stream ids of two records of one conversation."""

    charged: str
    other: str


class LinkCalls(msgspec.Struct, frozen=True, kw_only=True):
    """Link pairs of records: both are kept, one is charged.

    Pairs that are settled stay unchanged.
    """

    pairs: Sequence[Pair]


def link_calls(store: Store, command: LinkCalls, envelope: Envelope) -> int:
    """Link the pairs and reverse what uncharged records posted; return the last position, or 0."""
    streams = [stream for pair in command.pairs for stream in (pair.charged, pair.other)]
    for _ in range(ATTEMPTS):
        loaded = store.load_many(streams)
        pending: list[Pending] = []
        taken: set[str] = set()
        for pair in command.pairs:
            both = {pair.charged, pair.other}
            charged, other = (
                fold(call.evolve, loaded.get(stream, ())) for stream in (pair.charged, pair.other)
            )
            if charged is None or other is None or both & taken:
                continue
            events = call.link(charged, pair.charged, other, pair.other)
            if events is None:
                continue
            taken |= both
            for stream, of_stream in zip((pair.charged, pair.other), events, strict=True):
                version = len(loaded[stream])
                for number, event in enumerate(of_stream, version + 1):
                    pending.append(Pending(stream, number, event, envelope))
        try:
            return store.append(pending) if pending else 0
        except Conflict:
            continue
    return 0  # the next run finds the pairs again

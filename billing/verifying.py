"""`billing verify`: walk the seals of the log and name the first place that doesn't fit."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import psycopg

from billing.store import GENESIS, partition_digests, seal_of

SEALS = """
select last_position, first_position, events, previous, digests::text, seal
from seals order by last_position"""
EVENTS = """
select notification_id, originator_id, originator_version, topic, state
from billing_events order by notification_id"""
CHUNK = 5_000


class Verdict(msgspec.Struct, frozen=True):
    events: int
    seals: int
    fault: str  # '' when everything fits


def verify(url: str, progress: Callable[[int], None] = lambda _: None) -> Verdict:
    """Recompute every digest and seal from the events as they lie there."""
    with psycopg.connect(url) as seals, psycopg.connect(url) as events:
        for connection in (seals, events):
            connection.execute("set transaction isolation level repeatable read")
        with seals.cursor("seals", binary=True) as s, events.cursor("events", binary=True) as e:
            s.itersize = e.itersize = CHUNK
            return _walk(s.execute(SEALS), iter(e.execute(EVENTS)), progress)


def _walk(
    seals: psycopg.ServerCursor, events: Iterator[Any], progress: Callable[[int], None]
) -> Verdict:
    count = walked = 0
    previous = GENESIS
    event = next(events, None)
    for last, first, sealed, before, digests, seal in seals:
        if before != previous:
            return Verdict(count, walked, f"a seal is missing before position {first}")
        rows = []
        while event and event[0] <= last:
            rows.append(event)
            event = next(events, None)
        fault = _compare(rows, first, last, sealed, msgspec.json.decode(digests))
        if not fault and seal_of(before, first, last, sealed, msgspec.json.decode(digests)) != seal:
            fault = f"the seal of positions {first} to {last} was altered"
        if fault:
            return Verdict(count, walked, fault)
        previous, count, walked = seal, count + len(rows), walked + 1
        progress(count)
    if event:
        return Verdict(count, walked, f"{event[1]} at position {event[0]} is under no seal")
    return Verdict(count, walked, "")


def _compare(rows: list[Any], first: int, last: int, sealed: int, digests: dict[str, str]) -> str:
    if rows and rows[0][0] < first:
        return f"{rows[0][1]} at position {rows[0][0]} is under no seal"
    if len(rows) != sealed:
        return f"{sealed} events were sealed at positions {first} to {last}, {len(rows)} are there"
    found = partition_digests(rows)
    for partition, digest in sorted(digests.items()):
        if found.get(partition) != digest:
            return f"an event of partition {partition} at positions {first} to {last} was altered"
    return ""

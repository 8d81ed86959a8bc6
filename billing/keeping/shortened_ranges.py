"""Ranges of the log with shortened numbers: the sealed digests, and those of today."""

from collections.abc import Iterable
from itertools import pairwise

import msgspec
import psycopg

from billing.aggregates.keeping import NumbersShortened
from billing.log.sealing import digest_over

SHORTENED = """
select state from billing_events_default where topic = 'NumbersShortened.1'
order by notification_id"""


class _StoredShortening(msgspec.Struct, frozen=True):
    event: NumbersShortened


_decoder = msgspec.json.Decoder(_StoredShortening)


def read_shortenings(connection: psycopg.Connection) -> list[NumbersShortened]:
    """Return every shortening in the order they were done, in this connection's snapshot."""
    return [_decoder.decode(row[0]).event for row in connection.execute(SHORTENED, binary=True)]


class ShortenedRanges:
    """Compares the digests of partitions with their seals, append after append.

    The appends of a shortened range are compared at its end, all together: the events about the
    shortening lead from the sealed digest to the present one.
    """

    def __init__(self, shortened: Iterable[NumbersShortened]) -> None:
        found: dict[str, dict[tuple[int, int], list[NumbersShortened]]] = {}
        for each in shortened:
            span = each.first_position, each.last_position
            found.setdefault(each.month, {}).setdefault(span, []).append(each)
        # The ranges of each month that are still ahead, the next one last.
        self._chains = {
            month: [chains[span] for span in sorted(chains, reverse=True)]
            for month, chains in found.items()
        }
        self._read: dict[str, list[tuple[str, str | None]]] = {}

    def fault(self, partition: str, first: int, last: int, sealed: str, found: str | None) -> str:
        """Return what does not match, or "". `found` is None if the events' file is missing."""
        chain = self._chain(partition, first, last)
        if not chain:
            return "" if found in (None, sealed) else _altered(partition, first, last)
        read = self._read.setdefault(partition, [])
        read.append((sealed, found))
        span = chain[0].first_position, chain[0].last_position
        if last < span[1]:
            return ""
        del self._read[partition]
        fits = digest_over(sealed for sealed, _ in read) == chain[0].before
        fits = fits and all(one.after == other.before for one, other in pairwise(chain))
        there = [found for _, found in read if found is not None]
        if len(there) == len(read):
            fits = fits and digest_over(there) == chain[-1].after
        return "" if fits else _altered(partition, *span)

    def _chain(self, partition: str, first: int, last: int) -> list[NumbersShortened]:
        chains = self._chains.get(partition, [])
        while chains and chains[-1][0].last_position < first:
            chains.pop()
        if chains and chains[-1][0].first_position <= first and last <= chains[-1][0].last_position:
            return chains[-1]
        return []


def _altered(partition: str, first: int, last: int) -> str:
    return f"an event of partition {partition} at positions {first} to {last} was altered"

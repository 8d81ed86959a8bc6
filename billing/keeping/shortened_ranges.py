"""Stretches of the log whose numbers were shortened: what the seals said, and what is there now."""

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


def shortened_stretches(connection: psycopg.Connection) -> list[NumbersShortened]:
    """Every shortening in the order they were done, as this connection's snapshot has it."""
    return [_decoder.decode(row[0]).event for row in connection.execute(SHORTENED, binary=True)]


class Stretches:
    """Compares the digests of partitions with their seals, append after append.

    An append within a stretch that was shortened is compared with the others of the stretch, at
    its end: the shortenings lead from what was sealed to what is there.
    """

    def __init__(self, shortened: Iterable[NumbersShortened]) -> None:
        found: dict[str, dict[tuple[int, int], list[NumbersShortened]]] = {}
        for each in shortened:
            stretch = each.first_position, each.last_position
            found.setdefault(each.month, {}).setdefault(stretch, []).append(each)
        # Those of a month that lie ahead, the next one last.
        self._chains = {
            month: [chains[stretch] for stretch in sorted(chains, reverse=True)]
            for month, chains in found.items()
        }
        self._read: dict[str, list[tuple[str, str | None]]] = {}

    def fault(self, partition: str, first: int, last: int, sealed: str, found: str | None) -> str:
        """What doesn't fit, or "". `found` is None where the events lie in a file that is away."""
        chain = self._chain(partition, first, last)
        if not chain:
            return "" if found in (None, sealed) else _altered(partition, first, last)
        read = self._read.setdefault(partition, [])
        read.append((sealed, found))
        stretch = chain[0].first_position, chain[0].last_position
        if last < stretch[1]:
            return ""
        del self._read[partition]
        fits = digest_over(sealed for sealed, _ in read) == chain[0].before
        fits = fits and all(one.after == other.before for one, other in pairwise(chain))
        there = [found for _, found in read if found is not None]
        if len(there) == len(read):
            fits = fits and digest_over(there) == chain[-1].after
        return "" if fits else _altered(partition, *stretch)

    def _chain(self, partition: str, first: int, last: int) -> list[NumbersShortened]:
        chains = self._chains.get(partition, [])
        while chains and chains[-1][0].last_position < first:
            chains.pop()
        if chains and chains[-1][0].first_position <= first and last <= chains[-1][0].last_position:
            return chains[-1]
        return []


def _altered(partition: str, first: int, last: int) -> str:
    return f"an event of partition {partition} at positions {first} to {last} was altered"

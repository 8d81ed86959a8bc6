"""The postings of a batch, computed once for all read models that sum them up."""

from collections.abc import Sequence

from billing.aggregates.posting import Posting, postings_of
from billing.log.store import Recorded

Posted = list[tuple[Recorded, Posting]]

# The last batch and its postings: several read models get the same batch in turn.
_last: tuple[Sequence[Recorded] | None, Posted] = (None, [])


def postings_in(batch: Sequence[Recorded]) -> Posted:
    """Return the postings of a batch, in order."""
    global _last  # noqa: PLW0603 -- a cache of one immutable batch
    if _last[0] is not batch:
        found = [
            (recorded, posting)
            for recorded in batch
            for posting in postings_of(recorded.stream, recorded.event)
        ]
        _last = (batch, found)
    return _last[1]

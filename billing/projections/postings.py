"""The postings of a batch, worked out once for all the read models that add them up."""

from collections.abc import Sequence

from billing.aggregates.posting import Posting, postings_of
from billing.log.store import Recorded

Posted = list[tuple[Recorded, Posting]]

# The batch that was asked for last: several read models are given the same one in turn.
_last: tuple[Sequence[Recorded] | None, Posted] = (None, [])


def postings_in(batch: Sequence[Recorded]) -> Posted:
    """What the events of a batch move, in their order."""
    global _last  # noqa: PLW0603 -- a memory of one, of what never changes
    if _last[0] is not batch:
        found = [
            (recorded, posting)
            for recorded in batch
            for posting in postings_of(recorded.stream, recorded.event)
        ]
        _last = (batch, found)
    return _last[1]

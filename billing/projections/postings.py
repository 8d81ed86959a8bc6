"""What an event of a call posts: the rating it adds, and the one it takes back."""

from billing.aggregates.call import CallRated, CallRerated, CallVoided
from billing.aggregates.event import Event
from billing.rating.context import Rating

Posting = tuple[int, Rating]  # 1 posts the rating, -1 takes it back


def postings(event: Event) -> tuple[Posting, ...]:
    """In the order in which a ledger would have them; a suspended call posts nothing."""
    match event:
        case CallRated(rating=rating):
            return ((1, rating),)
        case CallRerated(before=before, rating=rating):
            return ((-1, before), (1, rating))
        case CallVoided(rating=rating) if rating.status == "rated":
            return ((-1, rating),)
        case _:
            return ()

"""What an event moves on which wallet: the one place that balances, books and replays ask."""

from datetime import datetime

import msgspec

from billing.aggregates.account import AccountAdjusted, AccountRecharged, RechargeReversed
from billing.aggregates.call import CallRated, CallRerated, CallVoided
from billing.aggregates.event import Event
from billing.rating.context import Rating

Posted = tuple[int, Rating]  # 1 posts the rating of a call, -1 takes it back


class Posting(msgspec.Struct, gc=False, frozen=True):
    """A change of one wallet, in micro-units; a charge is negative."""

    account: str  # the stream of the wallet
    currency: str
    kind: str  # charge, recharge, reversal, adjustment
    amount_micros: int  # as it changes the balance
    # Of a charge:
    call_class: str = ""
    calls: int = 0
    billed_seconds: int = 0
    filed_at: datetime | None = None  # when the call began


def posted_ratings(event: Event) -> tuple[Posted, ...]:
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


def postings_of(stream: str, event: Event) -> tuple[Posting, ...]:
    """What an event of a stream moves; nothing for most kinds of event."""
    match event:
        case (
            CallRated(filed_at=filed_at)
            | CallRerated(filed_at=filed_at)
            | CallVoided(filed_at=filed_at)
        ):
            posted = posted_ratings(event)
            return tuple(_charge(rating, filed_at, sign) for sign, rating in posted)
        case AccountRecharged(amount_micros=amount, currency=currency):
            return (Posting(stream, currency, "recharge", amount),)
        case RechargeReversed(amount_micros=amount, currency=currency):
            return (Posting(stream, currency, "reversal", -amount),)
        case AccountAdjusted(amount_micros=amount, currency=currency):
            return (Posting(stream, currency, "adjustment", amount),)
    return ()


def _charge(rating: Rating, filed_at: datetime, sign: int) -> Posting:
    """What a call takes from its payer (sign 1), or gives back (-1)."""
    return Posting(
        rating.payer,
        rating.currency,
        "charge",
        -sign * rating.amount_micros,
        rating.call_class,
        sign,
        sign * rating.billed_seconds,
        filed_at,
    )

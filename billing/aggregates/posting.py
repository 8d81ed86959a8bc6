"""What an event moves on which wallet: the one place that balances, books and replays ask."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

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
    post = _POST.get(type(event))
    return post(stream, event) if post else ()


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


def _of_call(_: str, event: Any) -> tuple[Posting, ...]:
    filed_at = event.filed_at
    return tuple(_charge(rating, filed_at, sign) for sign, rating in posted_ratings(event))


# By type and not by a match: this is asked of every event there is.
_POST: dict[type[Event], Callable[[str, Any], tuple[Posting, ...]]] = {
    CallRated: lambda _, event: (_charge(event.rating, event.filed_at, 1),),
    CallRerated: _of_call,
    CallVoided: _of_call,
    AccountRecharged: lambda stream, event: (
        Posting(stream, event.currency, "recharge", event.amount_micros),
    ),
    RechargeReversed: lambda stream, event: (
        Posting(stream, event.currency, "reversal", -event.amount_micros),
    ),
    AccountAdjusted: lambda stream, event: (
        Posting(stream, event.currency, "adjustment", event.amount_micros),
    ),
}

"""The amounts an event moves on wallets: the one source for balances, statements and replays."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from billing.aggregates.account import AccountAdjusted, AccountRecharged, RechargeReversed
from billing.aggregates.call import CallRated, CallReinstated, CallRerated, CallVoided
from billing.aggregates.event import Event
from billing.aggregates.statement import StatementRounded
from billing.rating.context import Rating

Posted = tuple[int, Rating]  # (sign, rating): 1 posts the rating of a call, -1 reverses it


class Posting(msgspec.Struct, gc=False, frozen=True):
    """A change of one wallet, in micro-units; a charge is negative."""

    account: str  # the stream of the wallet
    currency: str
    kind: str  # charge, recharge, reversal, adjustment, rounding
    amount_micros: int  # the change of the balance
    # Only for a charge:
    call_class: str = ""
    calls: int = 0
    billed_seconds: int = 0
    filed_at: datetime | None = None  # when the call started
    # Only for a rounding:
    month: str = ""  # of its statement, which is closed


def posted_ratings(event: Event) -> tuple[Posted, ...]:
    """Return what an event posts and reverses, in ledger order; nothing for a suspended call."""
    match event:
        case CallRated(rating=rating) | CallReinstated(rating=rating):
            return ((1, rating),)
        case CallRerated(before=before, rating=rating):
            return ((-1, before), (1, rating))
        case CallVoided(rating=rating) if rating.status == "rated":
            return ((-1, rating),)
        case _:
            return ()


def postings_of(stream: str, event: Event) -> tuple[Posting, ...]:
    """Return the postings of an event of `stream`; () for most kinds of events."""
    post = _POST.get(type(event))
    return post(stream, event) if post else ()


def _charge(rating: Rating, filed_at: datetime, sign: int) -> Posting:
    """Charge a call to its payer (sign 1), or reverse the charge (-1)."""
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


# A lookup by type, not a match: this runs for every event.
_POST: dict[type[Event], Callable[[str, Any], tuple[Posting, ...]]] = {
    CallRated: lambda _, event: (_charge(event.rating, event.filed_at, 1),),
    CallReinstated: _of_call,
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
    StatementRounded: lambda stream, event: (
        Posting(stream, event.currency, "rounding", event.amount_micros, month=event.month),
    ),
}

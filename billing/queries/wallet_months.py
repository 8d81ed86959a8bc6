"""The sums of a wallet's month, in the form of a statement."""

from collections.abc import Iterable
from typing import Any

from billing.aggregates.statement import ClassCharge, Totals


def totals_of(rows: Iterable[tuple[Any, ...]]) -> Totals:
    """The rows of one account and month as a statement tells them."""
    moved = {"recharge": 0, "reversal": 0, "adjustment": 0, "rounding": 0}
    charges = []
    for _, kind, call_class, late, calls, billed_seconds, amount in rows:
        if kind == "charge":
            charge = ClassCharge(
                call_class=call_class,
                calls=calls,
                billed_seconds=billed_seconds,
                amount_micros=-amount,
                late=late,
            )
            charges.append(charge)
        else:
            moved[kind] += amount
    return Totals(
        recharges_micros=moved["recharge"],
        reversals_micros=moved["reversal"],
        adjustments_micros=moved["adjustment"],
        charges=tuple(charges),
    )

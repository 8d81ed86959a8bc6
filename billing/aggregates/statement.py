"""The monthly statement of a wallet: what it held, what came in, what calls cost, what it holds."""

import msgspec

from billing.aggregates.event import Event
from billing.periods import month_after
from billing.values import Refused


class ClassCharge(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The calls of one class that a month was charged for."""

    call_class: str
    calls: int
    billed_seconds: int
    amount_micros: int
    late: bool = False  # of a month that was closed before they came in, or were corrected


class Totals(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What moved a wallet in one month, in micro-units; each as it changes the balance."""

    recharges_micros: int = 0
    reversals_micros: int = 0  # not positive
    adjustments_micros: int = 0
    charges: tuple[ClassCharge, ...] = ()

    @property
    def charged_micros(self) -> int:
        """What all calls cost together."""
        return sum(charge.amount_micros for charge in self.charges)

    @property
    def change_micros(self) -> int:
        """By how much the balance moved."""
        moved = self.recharges_micros + self.reversals_micros + self.adjustments_micros
        return moved - self.charged_micros


class StatementClosed(Event, frozen=True, kw_only=True):
    """A month of an account is closed. What comes later for it goes to the open month."""

    month: str  # "2026-10", of the installation's zone
    currency: str
    opening_micros: int
    totals: Totals
    closing_micros: int


class MonthClosed(Event, frozen=True, kw_only=True):
    """On the stream `books`: whatever follows in the log belongs to a later month."""

    month: str
    zone: str  # whose midnight ended it; the same for all months


class Books(msgspec.Struct, frozen=True):
    """Which months are closed; they follow each other without a gap."""

    last_month: str
    zone: str


BOOKS = "books"  # the stream


def evolve(books: Books | None, event: Event) -> Books | None:
    """The books after an event."""
    return Books(event.month, event.zone) if isinstance(event, MonthClosed) else books


def close_month(books: Books | None, month: str, zone: str) -> list[Event]:
    """Draw the line beneath a month. Nothing happens where it is drawn already.

    The zone of the first closing stays: between two zones an hour would be billed twice or never.
    """
    if books and month <= books.last_month:
        return []
    if books and month != month_after(books.last_month):
        raise Refused("The month %(month)s is still open.", month=month_after(books.last_month))
    return [MonthClosed(month=month, zone=books.zone if books else zone)]


def close_statement(
    last_statement: str, *, month: str, currency: str, opening_micros: int, totals: Totals
) -> list[Event]:
    """The statement of one account for a month. Nothing happens where it was closed already."""
    if month <= last_statement:
        return []
    return [
        StatementClosed(
            month=month,
            currency=currency,
            opening_micros=opening_micros,
            totals=totals,
            closing_micros=opening_micros + totals.change_micros,
        )
    ]

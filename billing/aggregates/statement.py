"""Monthly statement of a wallet: opening balance, movements, charges, closing balance."""

import msgspec

from billing.aggregates.event import Event
from billing.periods import month_after
from billing.values import Refused


class ClassCharge(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The calls of one class that a month's statement charges; `amount_micros` is positive."""

    call_class: str
    calls: int
    billed_seconds: int
    amount_micros: int
    late: bool = False  # calls of an already closed month that arrived late or were corrected


class Totals(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Movements of a wallet in one month, in micro-units, signed as they change the balance."""

    recharges_micros: int = 0
    reversals_micros: int = 0  # not positive
    adjustments_micros: int = 0
    charges: tuple[ClassCharge, ...] = ()

    @property
    def charged_micros(self) -> int:
        """Return the total cost of all calls, in micro-units (positive)."""
        return sum(charge.amount_micros for charge in self.charges)

    @property
    def change_micros(self) -> int:
        """Return the change of the balance, in micro-units."""
        moved = self.recharges_micros + self.reversals_micros + self.adjustments_micros
        return moved - self.charged_micros


class StatementClosed(Event, frozen=True, kw_only=True):
    """A month of an account is closed. Later events for it go to the open month's statement."""

    month: str  # "2026-10", in the installation's time zone
    currency: str
    opening_micros: int
    totals: Totals
    closing_micros: int


class MonthClosed(Event, frozen=True, kw_only=True):
    """On the stream `books`: later events in the log belong to later months."""

    month: str
    zone: str  # time zone of the month's end; the same for all months


class Books(msgspec.Struct, frozen=True):
    """The last closed month; closed months have no gaps."""

    last_month: str
    zone: str


BOOKS = "books"  # stream id


def evolve(books: Books | None, event: Event) -> Books | None:
    """Return the books after `event`."""
    return Books(event.month, event.zone) if isinstance(event, MonthClosed) else books


def close_month(books: Books | None, month: str, zone: str) -> list[Event]:
    """Close a month; return no event if it is closed already. Refused if it would leave a gap.

    The zone of the first closing stays: after a change of zone some hours would be billed twice or
    never.
    """
    if books and month <= books.last_month:
        return []
    if books and month != month_after(books.last_month):
        raise Refused("The month %(month)s is still open.", month=month_after(books.last_month))
    return [MonthClosed(month=month, zone=books.zone if books else zone)]


def close_statement(
    last_statement: str, *, month: str, currency: str, opening_micros: int, totals: Totals
) -> list[Event]:
    """Close the statement of one account for a month; return no event if it is closed already."""
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

"""Monthly statement of a wallet: opening balance, movements, charges, closing balance."""

import msgspec

from billing.aggregates.event import Event
from billing.periods import month_after
from billing.values import Refused, to_minor_unit


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
    def credited_micros(self) -> int:
        """Return what recharges, reversals and adjustments came to, in micro-units."""
        return self.recharges_micros + self.reversals_micros + self.adjustments_micros

    @property
    def change_micros(self) -> int:
        """Return the change of the balance, in micro-units."""
        return self.credited_micros - self.charged_micros


class StatementRounded(Event, frozen=True, kw_only=True):
    """The rounding line of a statement: it makes the closing balance an amount that can be paid.

    It is posted to the wallet in the month of the statement, just before `StatementClosed`.
    """

    month: str
    currency: str
    amount_micros: int  # the change of the balance; at most half a minor unit


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """The names that a statement shows, as they were when the month was closed."""

    name: str = ""  # "" in statements from before it was kept
    company: str = ""  # the company of a user account or gateway account


class StatementClosed(Event, frozen=True, kw_only=True):
    """A month of an account is closed. Later events for it go to the open month's statement.

    opening + movements + rounding - charges = closing, to the micro-unit.
    """

    month: str  # "2026-10", in the installation's time zone
    currency: str
    opening_micros: int
    totals: Totals
    rounding_micros: int
    closing_micros: int  # a whole number of minor units of the currency
    heading: Heading


class OldStatementClosed(Event, frozen=True, kw_only=True):
    """`StatementClosed.1`, which neither rounded nor kept the names."""

    month: str
    currency: str
    opening_micros: int
    totals: Totals
    closing_micros: int


def upcast_statement_closed(old: OldStatementClosed) -> StatementClosed:
    """Return an old statement as one without a rounding line and without a heading."""
    return StatementClosed(
        month=old.month,
        currency=old.currency,
        opening_micros=old.opening_micros,
        totals=old.totals,
        rounding_micros=0,
        closing_micros=old.closing_micros,
        heading=Heading(),
    )


class MonthClosed(Event, frozen=True, kw_only=True):
    """On the stream `books`: later events in the log belong to later months."""

    month: str
    zone: str  # time zone of the month's end; the same for all months


class StatementsCompleted(Event, frozen=True, kw_only=True):
    """On the stream `books`: every wallet that needs a statement of the month has it."""

    month: str


class Books(msgspec.Struct, frozen=True):
    """The last closed month; closed months have no gaps."""

    last_month: str
    zone: str
    completed: str = ""  # the last month whose statements are complete


BOOKS = "books"  # stream id


def evolve(books: Books | None, event: Event) -> Books | None:
    """Return the books after `event`."""
    match event:
        case MonthClosed():
            return Books(event.month, event.zone, books.completed if books else "")
        case StatementsCompleted() if books:
            return msgspec.structs.replace(books, completed=event.month)
        case _:
            return books


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


def complete_statements(books: Books | None, month: str) -> list[Event]:
    """Note that all statements of a closed month are made; return no event if that is noted.

    Before the first closing there is nothing to complete.
    """
    if not books:
        return []
    if month > books.last_month:
        raise Refused("The month %(month)s is still open.", month=month)
    return [] if month <= books.completed else [StatementsCompleted(month=month)]


def close_statement(
    last_statement: str,
    *,
    month: str,
    currency: str,
    opening_micros: int,
    totals: Totals,
    heading: Heading,
) -> list[Event]:
    """Close the statement of one account for a month; return no event if it is closed already.

    The closing balance is rounded to the minor unit of the currency by an event of its own.
    """
    if month <= last_statement:
        return []
    exact = opening_micros + totals.change_micros
    closing = to_minor_unit(exact, currency)
    events = list[Event]()
    if closing != exact:
        events.append(
            StatementRounded(month=month, currency=currency, amount_micros=closing - exact)
        )
    events.append(
        StatementClosed(
            month=month,
            currency=currency,
            opening_micros=opening_micros,
            totals=totals,
            rounding_micros=closing - exact,
            closing_micros=closing,
            heading=heading,
        )
    )
    return events

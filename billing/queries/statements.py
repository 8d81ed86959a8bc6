"""The calls of a statement, read from the log: exactly those that its charges add up."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Self

import msgspec
from psycopg import Connection

from billing.aggregates.posting import postings_of
from billing.aggregates.statement import BOOKS, Heading, MonthClosed, StatementClosed, Totals
from billing.log.store import Recorded, Store
from billing.periods import local_month, month_before, month_end
from billing.projections.balances import unpack_positions
from billing.queries.money import AccountView

EVENTS_AT_ONCE = 1_000  # events in one read

# Whatever is posted to a month is recorded after the month began.
RANGES = """
select positions from account_charges where account = %s and last_recorded_at >= %s
order by last_position"""


class StatementView(msgspec.Struct, frozen=True):
    """A closed statement, as its event states it."""

    recorded: Recorded
    event: StatementClosed


class Statement(msgspec.Struct, frozen=True):
    """A month of an account: closed, or open with the sums so far."""

    view: AccountView
    month: str
    opening_micros: int
    totals: Totals
    closed_at: datetime | None = None
    rounding_micros: int = 0  # only of a closed month
    heading: Heading = Heading()

    @property
    def closing_micros(self) -> int:
        """The balance at the end of the month, in micro-units."""
        return self.opening_micros + self.totals.change_micros + self.rounding_micros

    @property
    def name(self) -> str:
        """The name of the account when the month was closed."""
        return self.heading.name or self.view.name

    @property
    def company(self) -> str:
        """The name of the company of a user account or gateway account at that time, or ""."""
        if self.view.kind == "company":
            return ""
        return self.heading.company or self.view.company


class BilledCall(msgspec.Struct, frozen=True):
    """A charge of a statement: the call's event, the charge, and whether it was posted late."""

    recorded: Recorded
    charged_micros: int
    late: bool


def find_statement(store: Store, account: str, month: str) -> StatementView | None:
    """Return the closed statement of a month; None if the month is open. Blocks."""
    for recorded in store.load(account):
        if isinstance(recorded.event, StatementClosed) and recorded.event.month == month:
            return StatementView(recorded, recorded.event)
    return None


def billed_calls(
    connection: Connection[Any], store: Store, account: str, month: str
) -> Iterator[BilledCall]:
    """Yield the calls charged to a month of an account, in the order of the log. Blocks."""
    closed = [each for each in store.load(BOOKS) if isinstance(each.event, MonthClosed)]
    cut = _Cut.of(month, closed)
    chunk: list[int] = []
    rows = connection.execute(RANGES, (account, month_end(month_before(month), cut.zone)))
    for (packed,) in rows:
        positions = unpack_positions(packed)
        if positions[0] > cut.end:
            break
        chunk += [position for position in positions if position <= cut.end]
        if len(chunk) >= EVENTS_AT_ONCE:
            yield from _of_month(store, account, chunk, cut)
            chunk = []
    yield from _of_month(store, account, chunk, cut)


class _Cut(msgspec.Struct, frozen=True):
    """The range of log positions that a month covers."""

    month: str
    zone: str
    begin: int  # position of the `MonthClosed` of the month before
    end: int  # position of this month's `MonthClosed`
    first: bool  # the first month of the books: everything earlier counts as late

    @classmethod
    def of(cls, month: str, closed: Sequence[Recorded]) -> Self:
        """By the lines drawn so far; the month is one of them."""
        lines: list[tuple[str, int, str]] = [
            (each.event.month, each.position, each.event.zone)  # type: ignore[attr-defined]
            for each in closed
        ]
        begin = max((position for other, position, _ in lines if other < month), default=0)
        end = next(position for other, position, _ in lines if other == month)
        return cls(month, lines[0][2], begin, end, begin == 0)


def _of_month(store: Store, account: str, positions: list[int], cut: _Cut) -> Iterator[BilledCall]:
    for recorded in store.at(positions):
        for posting in postings_of(recorded.stream, recorded.event):
            if posting.account != account or posting.filed_at is None:
                continue
            made = local_month(recorded.envelope.recorded_at, cut.zone)
            own = min(made, local_month(posting.filed_at, cut.zone))
            late = own < cut.month and (recorded.position > cut.begin or cut.first)
            if late or own == cut.month:
                yield BilledCall(recorded, -posting.amount_micros, late)

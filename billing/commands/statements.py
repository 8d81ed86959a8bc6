"""Commands that close a month, then the statement of each wallet."""

from collections.abc import Callable

import msgspec

from billing.aggregates import statement
from billing.aggregates.account import Account
from billing.aggregates.event import Envelope, Event
from billing.aggregates.statement import BOOKS, Heading, Totals
from billing.commands.accounts import evolve_of
from billing.commands.deciding import Step, decide_many, decide_new, require
from billing.log.store import Store


class CloseMonth(msgspec.Struct, frozen=True, kw_only=True):
    month: str  # "2026-10"
    zone: str


class AccountMonth(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet's opening balance of a month, in micro-units, and its movements."""

    account: str
    opening_micros: int
    totals: Totals
    heading: Heading


class CloseStatements(msgspec.Struct, frozen=True, kw_only=True):
    month: str
    accounts: tuple[AccountMonth, ...]


def close_month(store: Store, command: CloseMonth, envelope: Envelope) -> int:
    """Close a month in the log: later events belong to a later month."""
    return decide_new(
        store,
        BOOKS,
        statement.evolve,
        lambda books: statement.close_month(books, command.month, command.zone),
        envelope,
    )


def complete_statements(store: Store, month: str, envelope: Envelope) -> int:
    """Note in the log that every statement of a closed month is made."""
    return decide_new(
        store,
        BOOKS,
        statement.evolve,
        lambda books: statement.complete_statements(books, month),
        envelope,
    )


def close_statements(store: Store, command: CloseStatements, envelope: Envelope) -> int:
    """Close the statements of many accounts; those already closed stay unchanged."""
    steps = [
        Step(each.account, evolve_of(each.account), _decision(command.month, each))
        for each in command.accounts
    ]
    return decide_many(store, steps, envelope)


def _decision(month: str, each: AccountMonth) -> Callable[[Account | None], list[Event]]:
    def close(state: Account | None) -> list[Event]:
        known = require(state, each.account)
        return statement.close_statement(
            known.last_statement,
            month=month,
            currency=known.currency,
            opening_micros=each.opening_micros,
            totals=each.totals,
            heading=each.heading,
        )

    return close

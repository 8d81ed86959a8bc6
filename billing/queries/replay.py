"""Recompute one account from the log alone, and compare it to the micro-unit."""

from collections.abc import Iterator
from typing import Any

import msgspec
from psycopg import Connection, IsolationLevel

from billing.aggregates.statement import StatementClosed
from billing.log.positions import shown
from billing.log.store import Store
from billing.queries.history import moved_on

WINDOW = 50_000  # positions read at a time
BALANCE = "select balance_micros from balances where account = %s"


class ReplayProgress(msgspec.Struct, kw_only=True):
    """The progress of a replay and its findings; amounts in micro-units."""

    until: int  # the log position the read model has reached
    shown_micros: int  # the balance in the read model
    position: int = 0
    events: int = 0
    balance_micros: int = 0
    faults: list[str] = []  # months whose statement does not follow from the previous one
    done: bool = False

    @property
    def equal(self) -> bool:
        """Whether log and read model agree and every statement follows from the previous one."""
        return self.done and self.balance_micros == self.shown_micros and not self.faults


def replay(connection: Connection[Any], store: Store, account: str) -> Iterator[ReplayProgress]:
    """Recompute an account's balance from its events, yielding the progress. Blocks.

    Uses nothing from a read model except the balance to compare with.
    """
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    with connection.transaction():
        until = shown(connection, "balances")
        row = connection.execute(BALANCE, (account,)).fetchone()
    progress = ReplayProgress(until=until, shown_micros=row[0] if row else 0)
    closing = 0
    past = store.past() if store.past else None
    while progress.position < progress.until:
        until = min(progress.position + WINDOW, progress.until)
        for recorded in store.concerning(account, progress.position, until, past):
            progress.events += 1
            progress.balance_micros += moved_on(account, recorded)
            event = recorded.event
            if isinstance(event, StatementClosed):
                expected = event.opening_micros + event.totals.change_micros + event.rounding_micros
                if event.opening_micros != closing or event.closing_micros != expected:
                    progress.faults.append(event.month)
                closing = event.closing_micros
        progress.position = until
        progress.done = until == progress.until
        yield progress

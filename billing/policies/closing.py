"""Closes the books after the end of a month: first the month, then the statement of each wallet.

`MonthClosed` is a marker in the log. The read model counts later events to the next month, so once
it has read the marker the month's sums are final, and the statements are built from them: one for
every wallet that the month moved or that has a balance, whenever it was opened. Openings are the
sums of all earlier months, so everything that was ever posted is in a statement. Each step waits
until the read models show the previous one, and is decided on its own stream: a service that was
down or killed meanwhile resumes where it stopped.
"""

from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

from psycopg import Connection

from billing.aggregates.event import Envelope
from billing.aggregates.statement import Heading
from billing.commands.statements import (
    AccountMonth,
    CloseMonth,
    CloseStatements,
    close_month,
    close_statements,
    complete_statements,
)
from billing.keeping.clock import may_step
from billing.log.store import Store
from billing.periods import month_before, month_end
from billing.policies.isolation import Isolation
from billing.queries.clock import AGREES, ClockState
from billing.queries.wallet_months import totals_of

NAME = "closing"
GRACE = timedelta(hours=1)  # for calls still in progress at midnight
MOST = 1_000  # statements per append
CLOSE = "close"  # what takes a day, of a doubted clock

STATE = "select open_month, zone, completed from books"
WITHOUT_STATEMENT = f"""
select account, coalesce(last.closing_micros, 0)
from accounts left join lateral (
  select closing_micros from statements where statements.account = accounts.account
  order by month desc limit 1) as last on true
where account <> all(%(resting)s) and own_wallet
  and statements_through < %(month)s and opened_at < %(ended_at)s
  and (state <> 'closed' or exists (
    select from account_months as moved
    where moved.account = accounts.account and moved.month = %(month)s))
order by account limit {MOST}"""
SUMS = """
select account, kind, class, late, calls, billed_seconds, amount_micros from account_months
where month = %s and account = any(%s) order by account, late, class"""


def close_books(
    connection: Connection[Any],
    store: Store,
    now: datetime,
    clock: ClockState = AGREES,
    isolation: Isolation | None = None,
) -> int:
    """Take the next step that is due; return the position of its event, or 0.

    While the clock is doubted none is taken; after a day of it one month a day is closed. A month
    is closed only when every wallet has its statement of the month before: none is left out.
    """
    if clock.is_waiting:
        return 0
    isolation = isolation or Isolation(connection, store, NAME)
    found = connection.execute(STATE).fetchone()
    if not found:
        return 0
    open_month, zone, completed = found
    envelope = clock.mark(Envelope(recorded_at=now, actor="system"))
    closed = month_before(open_month)
    resting = isolation.resting
    values = {"month": closed, "ended_at": month_end(closed, zone), "resting": resting}
    if openings := dict(connection.execute(WITHOUT_STATEMENT, values).fetchall()):
        rows = connection.execute(SUMS, (closed, list(openings))).fetchall()
        totals = {account: totals_of(own) for account, own in groupby(rows, itemgetter(0))}
        accounts = tuple(
            AccountMonth(
                account=account, opening_micros=opening, totals=totals.get(account, totals_of(()))
            )
            for account, opening in openings.items()
        )
        return isolation.act(
            accounts,
            attrgetter("account"),
            lambda some: close_statements(
                store, CloseStatements(month=closed, accounts=tuple(some)), envelope
            ),
        )
    is_over = month_end(open_month, zone) + GRACE <= now
    if is_over and not resting and may_step(connection, clock, CLOSE):
        return close_month(store, CloseMonth(month=open_month, zone=zone), envelope)
    return 0


def _without_statement(connection: Connection[Any], month: str) -> tuple[AccountMonth, ...]:
    """Return the wallets that still need a statement of a closed month, at most `MOST`."""
    found = connection.execute(WITHOUT_STATEMENT, {"month": month}).fetchall()
    rows = connection.execute(SUMS, (month, [account for account, *_ in found])).fetchall()
    totals = {account: totals_of(own) for account, own in groupby(rows, itemgetter(0))}
    return tuple(
        AccountMonth(
            account=account,
            opening_micros=opening,
            totals=totals.get(account, totals_of(())),
            heading=Heading(name=name, company=company),
        )
        for account, name, company, opening in found
    )

"""Closes the books after the end of a month: first the month, then the statement of each wallet.

`MonthClosed` is a marker in the log. The read model counts later events to the next month, so once
it has read the marker the month's sums are final, and the statements are built from them. Each step
waits until the read models show the previous one, and is decided on its own stream: a service that
was down or killed in between resumes where it stopped.
"""

from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from psycopg import Connection

from billing.aggregates.event import Envelope
from billing.commands.statements import (
    AccountMonth,
    CloseMonth,
    CloseStatements,
    close_month,
    close_statements,
)
from billing.keeping.clock import may_step
from billing.log.store import Store
from billing.periods import month_before, month_end
from billing.queries.clock import AGREES, ClockState
from billing.queries.wallet_months import totals_of

GRACE = timedelta(hours=1)  # for calls still in progress at midnight
MOST = 1_000  # statements per append
CLOSE = "close"  # what takes a day, of a doubted clock

STATE = "select open_month, zone from books"
# Wallets opened before the end of the month; closed ones only if the month moved them.
WITHOUT_STATEMENT = f"""
select account, coalesce(last.closing_micros, 0)
from accounts left join lateral (
  select closing_micros from statements where statements.account = accounts.account
  order by month desc limit 1) as last on true
where own_wallet and statements_through < %(month)s and opened_at < %(ended_at)s
  and (state <> 'closed' or exists (
    select from account_months as moved
    where moved.account = accounts.account and moved.month = %(month)s))
order by account limit {MOST}"""
SUMS = """
select account, kind, class, late, calls, billed_seconds, amount_micros from account_months
where month = %s and account = any(%s) order by account, late, class"""


def close_books(
    connection: Connection[Any], store: Store, now: datetime, clock: ClockState = AGREES
) -> int:
    """Take the next step that is due; return the position of its event, or 0.

    While the clock is doubted none is taken; after a day of it one month a day is closed.
    """
    if clock.is_waiting:
        return 0
    found = connection.execute(STATE).fetchone()
    if not found:
        return 0
    open_month, zone = found
    envelope = clock.mark(Envelope(recorded_at=now, actor="system"))
    closed = month_before(open_month)
    values = {"month": closed, "ended_at": month_end(closed, zone)}
    if openings := dict(connection.execute(WITHOUT_STATEMENT, values).fetchall()):
        rows = connection.execute(SUMS, (closed, list(openings))).fetchall()
        totals = {account: totals_of(own) for account, own in groupby(rows, itemgetter(0))}
        accounts = tuple(
            AccountMonth(
                account=account, opening_micros=opening, totals=totals.get(account, totals_of(()))
            )
            for account, opening in openings.items()
        )
        command = CloseStatements(month=closed, accounts=accounts)
        return close_statements(store, command, envelope)
    if month_end(open_month, zone) + GRACE <= now and may_step(connection, clock, CLOSE):
        return close_month(store, CloseMonth(month=open_month, zone=zone), envelope)
    return 0

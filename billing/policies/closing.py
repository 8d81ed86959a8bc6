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
from operator import itemgetter
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
from billing.queries.clock import AGREES, ClockState
from billing.queries.wallet_months import totals_of

GRACE = timedelta(hours=1)  # for calls still in progress at midnight
MOST = 1_000  # statements per append
CLOSE = "close"  # what takes a day, of a doubted clock

STATE = "select open_month, zone, completed from books"
WITHOUT_STATEMENT = f"""
select a.account, a.name, coalesce(c.name, ''), sums.opening_micros
from accounts a
 cross join lateral (
  select coalesce(sum(amount_micros) filter (where month < %(month)s), 0)::bigint as opening_micros,
   coalesce(bool_or(month = %(month)s), false) as moved
  from account_months m where m.account = a.account and month <= %(month)s) as sums
 left join accounts c on a.kind <> 'company' and c.account = 'company:' || a.company_id
where a.own_wallet and a.statements_through < %(month)s
  and (sums.moved or sums.opening_micros <> 0)
order by a.account limit {MOST}"""
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
    open_month, zone, completed = found
    envelope = clock.mark(Envelope(recorded_at=now, actor="system"))
    closed = month_before(open_month)
    if completed < closed:
        if accounts := _without_statement(connection, closed):
            command = CloseStatements(month=closed, accounts=accounts)
            return close_statements(store, command, envelope)
        if position := complete_statements(store, closed, envelope):
            return position
    if month_end(open_month, zone) + GRACE <= now and may_step(connection, clock, CLOSE):
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

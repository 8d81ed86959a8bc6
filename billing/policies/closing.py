"""Closes the books after the end of a month: first the month, then the statement of each wallet.

`MonthClosed` is a marker in the log. The read model counts later events to the next month, so once
it has read the marker the month's sums are final, and the statements are built from them: one for
every wallet that the month moved or that has a balance, whenever it was opened. Openings are the
sums of all earlier months, so everything that was ever posted is in a statement. Each step waits
until the read models show the previous one, and is decided on its own stream: a service that was
down or killed resumes where it stopped.
"""

from collections.abc import Sequence
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
select a.account, a.name, coalesce(c.name, ''), sums.opening_micros
from accounts a
 cross join lateral (
  select coalesce(sum(amount_micros) filter (where month < %(month)s), 0)::bigint as opening_micros,
   coalesce(bool_or(month = %(month)s), false) as moved
  from account_months m where m.account = a.account and month <= %(month)s) as sums
 left join accounts c on a.kind <> 'company' and c.account = 'company:' || a.company_id
where a.account <> all(%(resting)s) and a.own_wallet and a.statements_through < %(month)s
  and (sums.moved or sums.opening_micros <> 0)
order by a.account limit {MOST}"""
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
    if completed < closed:
        if accounts := _without_statement(connection, closed, resting):
            return isolation.act(
                accounts,
                attrgetter("account"),
                lambda some: close_statements(
                    store, CloseStatements(month=closed, accounts=tuple(some)), envelope
                ),
            )
        if not resting and (position := complete_statements(store, closed, envelope)):
            return position
    is_over = month_end(open_month, zone) + GRACE <= now
    if is_over and not resting and may_step(connection, clock, CLOSE):
        return close_month(store, CloseMonth(month=open_month, zone=zone), envelope)
    return 0


def _without_statement(
    connection: Connection[Any], month: str, resting: Sequence[str]
) -> tuple[AccountMonth, ...]:
    """Return the wallets that still need a statement of a closed month, at most `MOST`.

    Those that are resting are left out.
    """
    values = {"month": month, "resting": list(resting)}
    found = connection.execute(WITHOUT_STATEMENT, values).fetchall()
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

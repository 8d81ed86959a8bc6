"""Watches balances: warns below the threshold, freezes below the limit, undoes its own freezes."""

from datetime import datetime
from operator import itemgetter
from typing import Any

from psycopg import Connection

from billing.aggregates.event import Envelope
from billing.commands.accounts import ApplyLimits, apply_limits
from billing.log.store import Store
from billing.policies.isolation import Isolation

NAME = "limits"
MOST = 1_000  # accounts per append

CALLED_FOR = f"""
select account, balance_micros from accounts join balances using (account)
where state <> 'closed' and account <> all(%s) and (
  (not warned and balance_micros < low_balance_micros)
  or (warned and (low_balance_micros is null or balance_micros >= low_balance_micros))
  or (state = 'open' and freeze_at_limit and balance_micros < -credit_limit_micros)
  or (frozen_by_policy and (not freeze_at_limit or balance_micros >= -credit_limit_micros)))
order by account limit {MOST}"""


def watch_limits(
    connection: Connection[Any],
    store: Store,
    now: datetime,
    isolation: Isolation | None = None,
) -> int:
    """Decide on each account whose balance requires it; return the last position, or 0."""
    isolation = isolation or Isolation(connection, store, NAME)
    balances = tuple(connection.execute(CALLED_FOR, (isolation.resting,)).fetchall())
    if not balances:
        return 0
    envelope = Envelope(recorded_at=now, actor="system")
    return isolation.act(
        balances,
        itemgetter(0),
        lambda some: apply_limits(store, ApplyLimits(balances=tuple(some)), envelope),
    )

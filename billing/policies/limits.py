"""Watches balances: warns below the threshold, freezes below the limit, undoes its own freezes."""

from datetime import datetime
from typing import Any

from psycopg import Connection

from billing.aggregates.event import Envelope
from billing.commands.accounts import ApplyLimits, apply_limits
from billing.log.store import Store

MOST = 1_000  # accounts per append

CALLED_FOR = f"""
select account, balance_micros from accounts join balances using (account)
where state <> 'closed' and (
  (not warned and balance_micros < low_balance_micros)
  or (warned and (low_balance_micros is null or balance_micros >= low_balance_micros))
  or (state = 'open' and freeze_at_limit and balance_micros < -credit_limit_micros)
  or (frozen_by_policy and (not freeze_at_limit or balance_micros >= -credit_limit_micros)))
order by account limit {MOST}"""


def watch_limits(connection: Connection[Any], store: Store, now: datetime) -> int:
    """Decide on each account whose balance requires it; return the last position, or 0."""
    balances = tuple(connection.execute(CALLED_FOR).fetchall())
    if not balances:
        return 0
    envelope = Envelope(recorded_at=now, actor="system")
    return apply_limits(store, ApplyLimits(balances=balances), envelope)

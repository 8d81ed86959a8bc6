"""Accounts: the companies, user accounts and gateway accounts there are, by name and state."""

from collections.abc import Sequence
from typing import Any

from psycopg import Cursor

from billing.aggregates.account import AccountFrozen, AccountUnfrozen
from billing.aggregates.company import CompanyOpened, RateGroupBound
from billing.aggregates.gateway_account import GatewayAccountOpened
from billing.aggregates.user_account import UserAccountOpened
from billing.store import Recorded

NAME = "accounts"
TABLES = ("accounts",)

OPEN = """
insert into accounts (account, kind, company_id, name, currency, own_wallet, state, time_zone,
  rate_group, payment, opened_at)
values (%s, %s, %s, %s, %s, %s, 'open', %s, '', %s, %s)"""
SET_STATE = "update accounts set state = %s where account = %s"
SET_RATE_GROUP = "update accounts set rate_group = %s where account = %s"


def apply(cursor: Cursor[Any], batch: Sequence[Recorded]) -> None:
    """Follow the accounts; their events are few, so each is one statement."""
    for recorded in batch:
        stream, opened_at = recorded.stream, recorded.envelope.recorded_at
        kind, _, own_id = stream.partition(":")
        match recorded.event:
            case CompanyOpened() as event:
                row = (own_id, event.name, event.currency, True, event.time_zone, event.payment)
                cursor.execute(OPEN, (stream, kind, *row, opened_at))
            case UserAccountOpened() | GatewayAccountOpened() as event:
                row = (event.company_id, event.name, event.currency, event.own_wallet, "", "")
                cursor.execute(OPEN, (stream, kind, *row, opened_at))
            case AccountFrozen():
                cursor.execute(SET_STATE, ("frozen", stream))
            case AccountUnfrozen():
                cursor.execute(SET_STATE, ("open", stream))
            case RateGroupBound(group_id=group_id):
                cursor.execute(SET_RATE_GROUP, (group_id, stream))

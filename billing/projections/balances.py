"""Balances: what each wallet holds, was charged and was credited."""

from collections.abc import Sequence
from typing import Any

from psycopg import Cursor

from billing.aggregates.account import AccountRecharged
from billing.aggregates.company import CompanyOpened
from billing.aggregates.gateway_account import GatewayAccountOpened
from billing.aggregates.user_account import UserAccountOpened
from billing.projections.postings import postings
from billing.store import Recorded

NAME = "balances"
TABLES = ("balances",)

ADD = """
insert into balances as wallet (account, currency, balance_micros, charged_micros,
  credited_micros, calls)
select account, currency, credited - charged, charged, credited, calls
from unnest(%s::text[], %s::text[], %s::int8[], %s::int8[], %s::int8[])
  as new (account, currency, charged, credited, calls)
on conflict (account) do update set
  balance_micros = wallet.balance_micros + excluded.balance_micros,
  charged_micros = wallet.charged_micros + excluded.charged_micros,
  credited_micros = wallet.credited_micros + excluded.credited_micros,
  calls = wallet.calls + excluded.calls"""


def apply(cursor: Cursor[Any], batch: Sequence[Recorded]) -> None:
    """Post the charges and credits of a batch."""
    sums: dict[tuple[str, str], list[int]] = {}
    for recorded in batch:
        for sign, rating in postings(recorded.event):
            total = sums.setdefault((rating.payer, rating.currency), [0, 0, 0])
            total[0] += sign * rating.amount_micros
            total[2] += sign
        match recorded.event:
            case AccountRecharged(amount_micros=amount, currency=currency):
                sums.setdefault((recorded.stream, currency), [0, 0, 0])[1] += amount
            case (
                CompanyOpened(currency=currency)
                | UserAccountOpened(currency=currency)
                | GatewayAccountOpened(currency=currency)
            ):
                sums.setdefault((recorded.stream, currency), [0, 0, 0])
    if sums:
        rows = [(*key, *total) for key, total in sums.items()]
        cursor.execute(ADD, [list(column) for column in zip(*rows, strict=True)])

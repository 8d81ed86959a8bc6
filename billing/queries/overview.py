"""The overview besides its figures: low balances and the last submissions."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.queries.reach import Reach

SHOWN = 8
# Balances that are empty, below the warning threshold, or close to the credit limit.
ENDANGERED = f"""
select a.account, a.name, coalesce(c.name, '') as company, a.currency, a.state,
 coalesce(b.balance_micros, 0) as balance_micros, count(*) over () as among
from accounts a
 left join balances b on b.account = a.account
 left join accounts c on c.account = 'company:' || a.company_id and a.kind <> 'company'
where {{within}} and a.state <> 'closed' and (a.kind = 'company' or a.own_wallet) and (
  coalesce(b.balance_micros, 0) <= a.low_balance_micros
  or (a.payment = 'prepaid' and coalesce(b.balance_micros, 0) <= 0)
  or coalesce(b.balance_micros, 0) < a.credit_limit_micros * -0.9)
order by coalesce(b.balance_micros, 0), a.name, a.account limit {SHOWN}"""
SUBMISSIONS = f"""
select s.at, s.device_id, coalesce(d.name, s.account) as device, s.status, s.accepted, s.duplicate,
 s.conflict, s.suspended
from submissions s left join devices d on d.device_id = s.device_id
where {{within}} order by s.id desc limit {SHOWN}"""


class Endangered(msgspec.Struct, frozen=True, kw_only=True):
    """A low balance; `among` is the number of all low balances."""

    account: str
    name: str
    company: str
    currency: str
    state: str
    balance_micros: int
    among: int


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime
    device_id: str
    device: str
    status: int
    accepted: int
    duplicate: int
    conflict: int
    suspended: int


async def endangered_balances(connection: AsyncConnection[Any], reach: Reach) -> list[Endangered]:
    """Return the lowest of the low balances."""
    statement = ENDANGERED.format(within=reach.condition("a.company_id"))
    async with connection.cursor(row_factory=class_row(Endangered)) as cursor:
        await cursor.execute(statement, {"companies": reach.within("")})
        return await cursor.fetchall()


async def last_submissions(connection: AsyncConnection[Any], reach: Reach) -> list[Submission]:
    """Return the last submissions, newest first."""
    statement = SUBMISSIONS.format(within=reach.condition("d.company_id"))
    async with connection.cursor(row_factory=class_row(Submission)) as cursor:
        await cursor.execute(statement, {"companies": reach.within("")})
        return await cursor.fetchall()

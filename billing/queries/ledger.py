"""What the last ledger check found: wallets whose balance or statement does not add up."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

SHOWN = 50
DIFFERENCES = f"""
select d.account, coalesce(a.name, d.account) as name, coalesce(a.currency, '') as currency,
 d.month, d.shown_micros, d.books_micros
from ledger_differences d left join accounts a using (account)
order by d.account, d.month limit {SHOWN}"""
COUNT = "select count(distinct account) from ledger_differences"
CHECK = "select checked_at, wallets from ledger_checks"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet that does not add up; amounts in micro-units."""

    account: str
    name: str
    currency: str
    month: str  # of the statement that differs; "" if the balance does
    shown_micros: int
    books_micros: int


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """When all wallets were last checked, and how many there were."""

    checked_at: datetime
    wallets: int


async def differences(connection: AsyncConnection[Any]) -> list[Difference]:
    """The wallets that did not add up at the last check, at most SHOWN."""
    async with connection.cursor(row_factory=class_row(Difference)) as cursor:
        await cursor.execute(DIFFERENCES)
        return await cursor.fetchall()


async def count_differing(connection: AsyncConnection[Any]) -> int:
    """How many wallets did not add up at the last check."""
    ((count,),) = await (await connection.execute(COUNT)).fetchall()
    return int(count)


async def last_check(connection: AsyncConnection[Any]) -> Check | None:
    """The last check, or None before the first."""
    async with connection.cursor(row_factory=class_row(Check)) as cursor:
        await cursor.execute(CHECK)
        return await cursor.fetchone()

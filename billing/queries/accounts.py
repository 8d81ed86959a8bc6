"""The list of accounts with their balances, for programs."""

from typing import Any

import msgspec
from psycopg import AsyncConnection

from billing.queries.paging import Order, Page, Place, like
from billing.queries.reach import Reach

KEY_TYPE = tuple[str]


class AccountRow(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    kind: str
    company_id: str
    name: str
    currency: str
    state: str
    own_wallet: bool
    balance_micros: int


class AccountsFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which accounts to list; an empty field does not filter."""

    reach: Reach
    kind: str = ""
    company_id: str = ""
    state: str = ""
    text: str = ""  # part of the name


LIST = """
select a.account, a.kind, a.company_id, a.name, a.currency, a.state, a.own_wallet,
 coalesce(b.balance_micros, 0) as balance_micros
from accounts a left join balances b on b.account = a.account"""
BY_ID = Order({"a.account": "account"})


async def list_accounts(
    connection: AsyncConnection[Any], wanted: AccountsFilter, place: Place | None, size: int
) -> Page[AccountRow]:
    """Return one page of the accounts that pass the filter, ordered by id."""
    values: dict[str, Any] = {
        "companies": wanted.reach.within(wanted.company_id),
        "kind": wanted.kind,
        "state": wanted.state,
        "part": like(wanted.text),
    }
    where, cut = wanted.reach.condition("a.company_id", wanted.company_id), BY_ID.cut(place, size)
    for field in ("kind", "state"):
        if values[field]:
            where += f" and a.{field} = %({field})s"
    if wanted.text:
        where += " and lower(a.name) like lower(%(part)s)"
    statement = f"{LIST} where {where} {cut.beyond} {cut.sort} {cut.limit}"
    return await cut.fetch(connection, AccountRow, statement, values)

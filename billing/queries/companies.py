"""The companies page: company accounts with their balances, and totals."""

from typing import Any

import msgspec
from psycopg import AsyncConnection

from billing.queries.paging import Order, Page, Place, like
from billing.queries.reach import Reach
from billing.values import Money

KEY_TYPE = tuple[str, str]


class CompanyFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which companies to list; an empty field does not filter."""

    reach: Reach
    text: str = ""  # part of the name
    state: str = ""  # open, frozen, closed


class CompanyRow(msgspec.Struct, frozen=True, kw_only=True):
    company_id: str
    name: str
    sort_name: str
    currency: str
    state: str
    payment: str
    rate_group: str
    user_accounts: int
    gateway_accounts: int
    calls: int
    charged_micros: int
    balance_micros: int


class CompanyTotals(msgspec.Struct, frozen=True, kw_only=True):
    companies: int
    charged: tuple[Money, ...]
    balances: tuple[Money, ...]


LIST = """
select a.company_id, a.name, lower(a.name) as sort_name, a.currency, a.state, a.payment,
 coalesce(g.name, a.rate_group) as rate_group,
 (select count(*) from accounts s where s.company_id = a.company_id and s.kind = 'user')
  as user_accounts,
 (select count(*) from accounts s where s.company_id = a.company_id and s.kind = 'gateway')
  as gateway_accounts,
 coalesce(b.calls, 0) as calls, coalesce(b.charged_micros, 0) as charged_micros,
 coalesce(b.balance_micros, 0) as balance_micros
from accounts a
 left join balances b on b.account = a.account
 left join rate_groups g on g.group_id = a.rate_group"""
SUMS = """
select a.currency, count(*), coalesce(sum(b.charged_micros), 0)::bigint,
 coalesce(sum(b.balance_micros), 0)::bigint
from accounts a left join balances b on b.account = a.account"""
BY_NAME = Order({"lower(a.name)": "sort_name", "a.company_id": "company_id"})


def _where(wanted: CompanyFilter) -> tuple[str, dict[str, Any]]:
    where = "where a.kind = 'company' and " + wanted.reach.condition("a.company_id")
    if wanted.text:
        where += " and lower(a.name) like lower(%(part)s)"
    if wanted.state:
        where += " and a.state = %(state)s"
    return where, {
        "part": like(wanted.text),
        "state": wanted.state,
        "companies": wanted.reach.within(""),
    }


async def list_companies(
    connection: AsyncConnection[Any], wanted: CompanyFilter, place: Place | None, size: int
) -> Page[CompanyRow]:
    """Return one page of the companies that pass the filter, by name."""
    where, values = _where(wanted)
    cut = BY_NAME.cut(place, size)
    statement = f"{LIST} {where} {cut.beyond} {cut.sort} {cut.limit}"
    return await cut.fetch(connection, CompanyRow, statement, values)


async def total_companies(connection: AsyncConnection[Any], wanted: CompanyFilter) -> CompanyTotals:
    """Return the totals of every company that passes the filter, one amount for each currency."""
    where, values = _where(wanted)
    cursor = await connection.execute(f"{SUMS} {where} group by a.currency order by 1", values)
    rows = await cursor.fetchall()
    return CompanyTotals(
        companies=sum(row[1] for row in rows),
        charged=tuple(Money(row[2], row[0]) for row in rows),
        balances=tuple(Money(row[3], row[0]) for row in rows),
    )

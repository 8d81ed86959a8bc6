"""The pages of user accounts and gateway accounts."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.queries.paging import Order, Page, Place, like
from billing.queries.reach import Reach
from billing.values import Money

KEY_TYPE = tuple[str, str]


class SubAccountFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which accounts to list; an empty field does not filter."""

    reach: Reach
    kind: str  # user, gateway
    text: str = ""  # part of the name, or one of its extensions or trunks
    company_id: str = ""
    state: str = ""  # open, frozen, closed


class SubAccountRow(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    name: str
    sort_name: str
    company_id: str
    company: str
    currency: str
    own_wallet: bool
    state: str
    lines: str
    balance_micros: int


class SubAccountTotals(msgspec.Struct, frozen=True, kw_only=True):
    accounts: int
    balances: tuple[Money, ...]


class LineRow(msgspec.Struct, frozen=True, kw_only=True):
    """An extension or a trunk that is or was assigned to an account."""

    device_id: str
    device: str
    tenant: str
    line: str
    valid_from: datetime | None
    valid_until: datetime | None  # when it was assigned to another account


class PinRow(msgspec.Struct, frozen=True, kw_only=True):
    """A PIN that an account has or had."""

    valid_from: datetime | None
    valid_until: datetime | None


# The present account of a line: the one it was assigned to last.
CURRENT_LINES = """
(select string_agg(l.line, ', ' order by l.line) from (
  select distinct on (device_id, kind, tenant, line) account, line from account_lines
  where (device_id, kind, tenant, line) in (
    select device_id, kind, tenant, line from account_lines where account = a.account)
  order by device_id, kind, tenant, line, given_at desc) l
 where l.account = a.account)"""
LIST = f"""
select a.account, a.name, lower(a.name) as sort_name, a.company_id,
 coalesce(c.name, a.company_id) as company, a.currency, a.own_wallet, a.state,
 coalesce({CURRENT_LINES}, '') as lines, coalesce(b.balance_micros, 0) as balance_micros
from accounts a
 left join balances b on b.account = a.account
 left join accounts c on c.account = 'company:' || a.company_id"""
SUMS = """
select a.currency, count(*), coalesce(sum(b.balance_micros) filter (where a.own_wallet), 0)::bigint,
 bool_or(a.own_wallet)
from accounts a left join balances b on b.account = a.account"""
LINES = """
select l.device_id, coalesce(d.name, l.device_id) as device, l.tenant, l.line, l.valid_from,
 l.valid_until
from (
  select *, lead(coalesce(valid_from, '-infinity')) over same as valid_until
  from account_lines where (device_id, kind, tenant, line) in (
    select device_id, kind, tenant, line from account_lines where account = %(account)s)
  window same as (partition by device_id, kind, tenant, line
    order by coalesce(valid_from, '-infinity'), given_at)) l
 left join devices d on d.device_id = l.device_id
where l.account = %(account)s and (l.valid_until is null or l.valid_until > '-infinity')
order by l.valid_until desc nulls first, l.line limit 500"""


PINS = """
select valid_from, valid_until from (
  select *, lead(valid_from) over (partition by company_id, digest order by given_at) as valid_until
  from account_pins where (company_id, digest) in (
    select company_id, digest from account_pins where account = %(account)s)) p
where account = %(account)s order by given_at"""
BY_NAME = Order({"lower(a.name)": "sort_name", "a.account": "account"})


def _where(wanted: SubAccountFilter) -> tuple[str, dict[str, Any]]:
    where = "where a.kind = %(kind)s and "
    where += wanted.reach.condition("a.company_id", wanted.company_id)
    if wanted.text:
        where += (
            " and (lower(a.name) like lower(%(part)s) or a.account in"
            " (select account from account_lines where line = %(text)s))"
        )
    if wanted.state:
        where += " and a.state = %(state)s"
    return where, {
        "kind": wanted.kind,
        "text": wanted.text,
        "part": like(wanted.text),
        "companies": wanted.reach.within(wanted.company_id),
        "state": wanted.state,
    }


async def list_sub_accounts(
    connection: AsyncConnection[Any], wanted: SubAccountFilter, place: Place | None, size: int
) -> Page[SubAccountRow]:
    """Return one page of the accounts that pass the filter, by name."""
    where, values = _where(wanted)
    cut = BY_NAME.cut(place, size)
    statement = f"{LIST} {where} {cut.beyond} {cut.sort} {cut.limit}"
    return await cut.fetch(connection, SubAccountRow, statement, values)


async def total_sub_accounts(
    connection: AsyncConnection[Any], wanted: SubAccountFilter
) -> SubAccountTotals:
    """Return the totals of every account that passes the filter; balances of own wallets only."""
    where, values = _where(wanted)
    cursor = await connection.execute(f"{SUMS} {where} group by a.currency order by 1", values)
    rows = await cursor.fetchall()
    return SubAccountTotals(
        accounts=sum(row[1] for row in rows),
        balances=tuple(Money(row[2], row[0]) for row in rows if row[3]),
    )


async def pins_of(connection: AsyncConnection[Any], account: str) -> list[PinRow]:
    """Return the validity of the PINs an account has or had; the digits are not stored."""
    async with connection.cursor(row_factory=class_row(PinRow)) as cursor:
        await cursor.execute(PINS, {"account": account})
        return await cursor.fetchall()


async def lines_of(connection: AsyncConnection[Any], account: str) -> list[LineRow]:
    """Return the extensions or trunks an account has or had, the present ones first."""
    async with connection.cursor(row_factory=class_row(LineRow)) as cursor:
        await cursor.execute(LINES, {"account": account})
        return await cursor.fetchall()

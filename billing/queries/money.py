"""The pages about money: one account, its balance over time, movements, statements."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row, tuple_row

from billing.periods import Period
from billing.queries.paging import Order, Page, Place, like
from billing.queries.reach import Reach
from billing.values import Money

KEY_TYPE = tuple[int]


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """The present state of an account of any kind."""

    account: str
    kind: str
    company_id: str
    company: str
    name: str
    currency: str
    own_wallet: bool
    state: str
    time_zone: str
    rate_group: str
    payment: str
    opened_at: datetime
    version: int
    frozen_by_policy: bool
    frozen_reason: str
    warned: bool
    credit_limit_micros: int | None
    low_balance_micros: int | None
    freeze_at_limit: bool
    warn_email: str
    balance_micros: int
    charged_micros: int
    credited_micros: int
    calls: int

    @property
    def own_id(self) -> str:
        """The id without the kind: "7" of "user:7"."""
        return self.account.partition(":")[2]


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """A rate group that was assigned to a company, in the order of recording."""

    group_id: str
    name: str
    valid_from: datetime | None
    recorded_at: datetime
    actor: str


class DayBalance(msgspec.Struct, frozen=True):
    """The balance at the end of a day, and what the day charged and credited, in micro-units."""

    day: date
    balance_micros: int
    charged_micros: int
    credited_micros: int


class MovementFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which movements to list; an empty field does not filter."""

    reach: Reach
    period: Period | None
    zone: ZoneInfo
    account: str = ""
    account_kind: str = ""
    company_id: str = ""
    kind: str = ""
    text: str = ""  # part of the account's name, the reason or the reference


class MovementRow(msgspec.Struct, frozen=True, kw_only=True):
    position: int
    account: str
    name: str
    company_id: str
    company: str
    kind: str
    amount_micros: int
    currency: str
    before_micros: int
    after_micros: int
    reason: str
    reference: str
    recorded_at: datetime
    actor: str
    address: str
    version: int
    reversed: bool


class StatementRow(msgspec.Struct, frozen=True, kw_only=True):
    month: str
    currency: str
    opening_micros: int
    credited_micros: int
    charged_micros: int
    rounding_micros: int
    closing_micros: int
    calls: int
    closed_at: datetime


VIEW = """
select a.account, a.kind, a.company_id, coalesce(c.name, a.company_id) as company, a.name,
 a.currency, a.own_wallet, a.state, a.time_zone, coalesce(g.name, a.rate_group) as rate_group,
 a.payment, a.opened_at, a.version, a.frozen_by_policy, a.frozen_reason, a.warned,
 a.credit_limit_micros, a.low_balance_micros, a.freeze_at_limit, a.warn_email,
 coalesce(b.balance_micros, 0) as balance_micros, coalesce(b.charged_micros, 0) as charged_micros,
 coalesce(b.credited_micros, 0) as credited_micros, coalesce(b.calls, 0) as calls
from accounts a
 left join balances b on b.account = a.account
 left join accounts c on c.account = 'company:' || a.company_id
 left join rate_groups g on g.group_id = a.rate_group
where a.account = %s"""
BINDINGS = """
select b.group_id, coalesce(g.name, b.group_id) as name, b.valid_from, b.recorded_at, b.actor
from rate_group_bindings b left join rate_groups g on g.group_id = b.group_id
where b.company_id = %s order by b.bound_at"""
DAYS = """
select day, charged_micros, credited_micros from balance_days
where account = %s and day >= %s order by day desc"""
MOVEMENTS = """
select m.position, m.account, coalesce(a.name, m.account) as name, m.company_id,
 coalesce(c.name, m.company_id) as company, m.kind, m.amount_micros, m.currency, m.before_micros,
 m.after_micros, m.reason, m.reference, m.recorded_at, m.actor, m.address, m.version, m.reversed
from movements m
 left join accounts a on a.account = m.account
 left join accounts c on c.account = 'company:' || m.company_id"""
MOVEMENT_SUMS = """
select m.currency, m.kind, count(*), sum(m.amount_micros)::bigint
from movements m left join accounts a on a.account = m.account"""
STATEMENTS = """
select month, currency, opening_micros, credited_micros, charged_micros, rounding_micros,
 closing_micros, calls, closed_at
from statements where account = %s order by month desc limit 120"""
MONTH = """
select account, kind, class, late, calls, billed_seconds, amount_micros from account_months
where account = %s and month = %s order by late, class"""
OPENING = """
select coalesce(sum(amount_micros), 0)::bigint from account_months
where account = %s and month < %s"""
OPEN_MONTH = "select open_month from books"
NEWEST_FIRST = Order({"m.position": "position"}, newest_first=True)


async def view_account(connection: AsyncConnection[Any], account: str) -> AccountView | None:
    """Return one account; None if there is none."""
    async with connection.cursor(row_factory=class_row(AccountView)) as cursor:
        await cursor.execute(VIEW, (account,))
        return await cursor.fetchone()


async def bindings_of(connection: AsyncConnection[Any], company_id: str) -> list[Binding]:
    """Return every rate group that was ever assigned to a company, in the order of recording."""
    async with connection.cursor(row_factory=class_row(Binding)) as cursor:
        await cursor.execute(BINDINGS, (company_id,))
        return await cursor.fetchall()


async def balance_by_day(
    connection: AsyncConnection[Any], account: str, today: date, days: int, balance_micros: int
) -> list[DayBalance]:
    """Return the balance at the end of each of the last `days`, oldest first.

    `balance_micros` is the present balance in micro-units; earlier ones are computed backwards.
    """
    first = today - timedelta(days=days - 1)
    cursor = await connection.execute(DAYS, (account, first))
    moved = {day: (charged, credited) for day, charged, credited in await cursor.fetchall()}
    found = []
    for back in range(days):
        day = today - timedelta(days=back)
        charged, credited = moved.get(day, (0, 0))
        found.append(DayBalance(day, balance_micros, charged, credited))
        balance_micros += charged - credited
    return found[::-1]


def _where(wanted: MovementFilter) -> tuple[str, dict[str, Any]]:
    where = "where " + wanted.reach.condition("m.company_id", wanted.company_id)
    values: dict[str, Any] = {
        "part": like(wanted.text),
        "text": wanted.text.lower(),
        "companies": wanted.reach.within(wanted.company_id),
    }
    if wanted.period:
        where += " and m.recorded_at >= %(begin)s and m.recorded_at < %(end)s"
        values["begin"], values["end"] = wanted.period.bounds(wanted.zone)
    for field in ("account", "kind"):
        if value := getattr(wanted, field):
            where += f" and m.{field} = %({field})s"
            values[field] = value
    if wanted.account_kind:
        where += " and a.kind = %(account_kind)s"
        values["account_kind"] = wanted.account_kind
    if wanted.text:
        where += (
            " and (lower(a.name) like lower(%(part)s) or lower(m.reason) like lower(%(part)s)"
            " or lower(m.reference) = %(text)s)"
        )
    return where, values


async def list_movements(
    connection: AsyncConnection[Any], wanted: MovementFilter, place: Place | None, size: int
) -> Page[MovementRow]:
    """Return one page of the movements that pass the filter, newest first."""
    where, values = _where(wanted)
    cut = NEWEST_FIRST.cut(place, size)
    statement = f"{MOVEMENTS} {where} {cut.beyond} {cut.sort} {cut.limit}"
    return await cut.fetch(connection, MovementRow, statement, values)


async def total_movements(
    connection: AsyncConnection[Any], wanted: MovementFilter
) -> dict[str, list[Money]]:
    """Return the totals of every movement that passes the filter, by kind and currency."""
    where, values = _where(wanted)
    cursor = await connection.execute(
        f"{MOVEMENT_SUMS} {where} group by m.currency, m.kind order by 1, 2", values
    )
    totals: dict[str, list[Money]] = {}
    for currency, kind, _, micros in await cursor.fetchall():
        totals.setdefault(kind, []).append(Money(micros, currency))
    return totals


async def statements_of(connection: AsyncConnection[Any], account: str) -> list[StatementRow]:
    """Return the closed statements of an account, newest first."""
    async with connection.cursor(row_factory=class_row(StatementRow)) as cursor:
        await cursor.execute(STATEMENTS, (account,))
        return await cursor.fetchall()


async def month_rows(
    connection: AsyncConnection[Any], account: str, month: str
) -> list[tuple[Any, ...]]:
    """Return the sums of a wallet's month as rows for `wallet_months.totals_of`."""
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(MONTH, (account, month))
    return await cursor.fetchall()


async def opening_of(connection: AsyncConnection[Any], account: str, month: str) -> int:
    """The balance of a wallet at the beginning of a month, in micro-units: all earlier months."""
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(OPENING, (account, month))
    row = await cursor.fetchone()
    return row[0] if row else 0


async def open_month(connection: AsyncConnection[Any]) -> str:
    """Return the open month of the books, "YYYY-MM"; "" before the first event."""
    cursor = await connection.execute(OPEN_MONTH)
    row = await cursor.fetchone()
    return row[0] if row else ""

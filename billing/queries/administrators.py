"""What the administrators' pages show: the administrators and their open sessions."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.queries.paging import Order, Page, Place, like

KEY_TYPE = tuple[str]


class AdministratorRow(msgspec.Struct, frozen=True, kw_only=True):
    administrator_id: str
    sign_in_name: str
    name: str
    role: str
    language: str
    enabled: bool
    companies: tuple[str, ...]  # the companies it is limited to; empty: not limited
    sessions: int
    two_factor: bool
    seen_at: datetime | None


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    session_id: str  # part of the hash of its token: it opens no session
    created_at: datetime
    seen_at: datetime
    address: str
    browser: str


class SecondFactorRow(msgspec.Struct, frozen=True, kw_only=True):
    demanded: bool
    confirmed_at: datetime | None  # None: two-factor is off
    codes_left: int


LIST = """
select a.administrator_id, a.sign_in_name, a.name, a.role, a.language, a.enabled, a.companies,
 count(s.token_hash) as sessions, max(s.seen_at) as seen_at,
 exists (select from second_factors f where f.administrator_id = a.administrator_id
  and f.confirmed_at is not null) as two_factor
from administrators a
 left join sessions s on s.administrator_id = a.administrator_id and s.expires_at > now()
where {where}
group by a.administrator_id, a.sign_in_name, a.name, a.role, a.language, a.enabled, a.companies
{sort} {limit}"""
SECOND_FACTOR = """
select a.must_use_two_factor as demanded, f.confirmed_at,
 (select count(*) from recovery_codes r
  where r.administrator_id = a.administrator_id and r.used_at is null) as codes_left
from administrators a left join second_factors f on f.administrator_id = a.administrator_id
where a.administrator_id = %s"""
PENDING = """
select secret from second_factors where administrator_id = %s and confirmed_at is null"""
SESSIONS = """
select left(encode(token_hash, 'hex'), 32) as session_id, created_at, seen_at, address, browser
from sessions where administrator_id = %s and expires_at > now()
order by seen_at desc limit 100"""
BY_NAME = Order({"a.sign_in_name": "sign_in_name"})


async def list_administrators(
    connection: AsyncConnection[Any], text: str, place: Place | None, size: int
) -> Page[AdministratorRow]:
    """Return one page of the administrators, by sign-in name; `text` is part of either name."""
    where, cut = "true", BY_NAME.cut(place, size)
    if text:
        where += " and (lower(a.name) like lower(%(part)s) or a.sign_in_name like lower(%(part)s))"
    where += cut.beyond
    statement = LIST.format(where=where, sort=cut.sort, limit=cut.limit)
    return await cut.fetch(connection, AdministratorRow, statement, {"part": like(text)})


async def find_administrator(
    connection: AsyncConnection[Any], administrator_id: str
) -> AdministratorRow | None:
    """Return one administrator; None if there is none with this id."""
    async with connection.cursor(row_factory=class_row(AdministratorRow)) as cursor:
        statement = LIST.format(where="a.administrator_id = %(id)s", sort="", limit="")
        await cursor.execute(statement, {"id": administrator_id})
        return await cursor.fetchone()


async def sessions_of(connection: AsyncConnection[Any], administrator_id: str) -> list[SessionRow]:
    """Return the open sessions of an administrator, the last seen first."""
    async with connection.cursor(row_factory=class_row(SessionRow)) as cursor:
        await cursor.execute(SESSIONS, (administrator_id,))
        return await cursor.fetchall()


async def second_factor_of(
    connection: AsyncConnection[Any], administrator_id: str
) -> SecondFactorRow:
    """Return whether an administrator must use two-factor, has it, and how many codes are left."""
    async with connection.cursor(row_factory=class_row(SecondFactorRow)) as cursor:
        await cursor.execute(SECOND_FACTOR, (administrator_id,))
        found = await cursor.fetchone()
    return found or SecondFactorRow(demanded=False, confirmed_at=None, codes_left=0)


async def pending_secret(connection: AsyncConnection[Any], administrator_id: str) -> str:
    """Return the secret of an enrolment that is not confirmed yet; empty if there is none."""
    row = await (await connection.execute(PENDING, (administrator_id,))).fetchone()
    return str(row[0]) if row else ""

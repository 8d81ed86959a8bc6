"""Sessions, sign-ins that wait for the second factor, and the credentials of sign-in names."""

from datetime import datetime
from typing import Any, TypeVar

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.log.positions import shown_sql
from billing.queries.reach import EVERYTHING, Reach

Found = TypeVar("Found")
# The administrator of a session (s) or a token (s).
WHO = """
 a.administrator_id, a.name, a.role, a.companies, c.sign_in_name, c.must_change,
 a.must_use_two_factor and f.confirmed_at is null as must_enrol"""
# Only if the read model of administrators has the latest change of credentials (migration 0086).
UP_TO_DATE = f"""
 c.as_of <= {shown_sql("administrators")}"""
NAMED = f"""
 join administrators a on a.administrator_id = s.administrator_id and a.enabled
 join administrator_credentials c on c.administrator_id = s.administrator_id and {UP_TO_DATE}
 left join second_factors f on f.administrator_id = s.administrator_id"""
BY_COOKIE = f"""
select {WHO}, s.token_hash, s.csrf_token, s.seen_at from sessions s {NAMED}
where s.token_hash = %s and s.expires_at > %s"""
BY_TOKEN = f"""
select {WHO}, s.token_hash, s.seen_at, s.token_id, s.scopes from api_tokens s {NAMED}
where s.token_hash = %s and s.revoked_at is null and coalesce(s.expires_at > %s, true)"""
HALF = """
select h.token_hash, h.administrator_id, c.sign_in_name
from half_sessions h
 join administrators a on a.administrator_id = h.administrator_id and a.enabled
 join administrator_credentials c on c.administrator_id = h.administrator_id
where h.token_hash = %s and h.expires_at > %s"""
CREDENTIALS = f"""
select c.administrator_id, c.password_hash, a.enabled,
 f.confirmed_at is not null as second_factor
from administrator_credentials c
 join administrators a on a.administrator_id = c.administrator_id
 left join second_factors f on f.administrator_id = c.administrator_id
where c.sign_in_name = %s and {UP_TO_DATE}"""
HASH_OF = """
select password_hash from administrator_credentials where administrator_id = %s"""


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored for a sign-in name."""

    administrator_id: str
    password_hash: str
    enabled: bool
    second_factor: bool  # a code is required besides the password


class Session(msgspec.Struct, frozen=True, kw_only=True):
    token_hash: bytes
    administrator_id: str
    csrf_token: str = ""
    seen_at: datetime | None
    sign_in_name: str
    name: str
    role: str
    must_change: bool
    companies: tuple[str, ...]  # the companies the administrator is limited to; empty: not limited
    must_enrol: bool  # two-factor is required and not set up
    token_id: str = ""  # of the API token, if a program sent one instead of a cookie
    scopes: tuple[str, ...] = ()  # of that token

    @property
    def reach(self) -> Reach:
        """The companies that the signed-in administrator may see."""
        return Reach(tuple(self.companies)) if self.companies else EVERYTHING


class HalfSession(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in with a correct password that still needs the code."""

    token_hash: bytes
    administrator_id: str
    sign_in_name: str


async def session_by_cookie(
    connection: AsyncConnection[Any], token_hash: bytes, now: datetime
) -> Session | None:
    """Return the session of a cookie, by its token's hash; None if it is invalid or expired."""
    return await _find(connection, Session, BY_COOKIE, token_hash, now)


async def session_by_token(
    connection: AsyncConnection[Any], token_hash: bytes, now: datetime
) -> Session | None:
    """Return the session of an API token, by its hash, with its scopes; None if it is invalid."""
    return await _find(connection, Session, BY_TOKEN, token_hash, now)


async def half_session(
    connection: AsyncConnection[Any], token_hash: bytes, now: datetime
) -> HalfSession | None:
    """Return the sign-in that waits for its code, by the hash of its token; None if it expired."""
    return await _find(connection, HalfSession, HALF, token_hash, now)


async def find_credentials(
    connection: AsyncConnection[Any], sign_in_name: str
) -> Credentials | None:
    """Return the credentials of a sign-in name; None if it is unknown."""
    return await _find(connection, Credentials, CREDENTIALS, sign_in_name)


async def _find(
    connection: AsyncConnection[Any], kind: type[Found], statement: str, *values: object
) -> Found | None:
    async with connection.cursor(row_factory=class_row(kind)) as cursor:
        await cursor.execute(statement, values)
        return await cursor.fetchone()


async def password_of(connection: AsyncConnection[Any], administrator_id: str) -> str | None:
    """Return the password hash of an administrator; None if there is none."""
    cursor = await connection.execute(HASH_OF, (administrator_id,))
    row = await cursor.fetchone()
    return str(row[0]) if row else None

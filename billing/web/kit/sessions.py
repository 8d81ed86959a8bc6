"""Who is signed in: rows that hold the hash of a cookie's token, for twelve hours after use."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.log.positions import shown_sql
from billing.queries.reach import EVERYTHING, Reach

LASTS = timedelta(hours=12)
TOUCH_AFTER = timedelta(minutes=1)  # a write for every request would be too many
LONGEST_BROWSER = 300

# Who somebody is, whether a session (s) or a token (s) says so.
WHO = """
 a.administrator_id, a.name, a.role, a.companies, c.sign_in_name, c.must_change,
 a.must_use_two_factor and f.confirmed_at is null as must_enrol"""
# What is read of somebody is as new as what was said of them last (migration 0086).
UP_TO_DATE = f"""
 c.as_of <= {shown_sql("administrators")}"""
NAMED = f"""
 join administrators a on a.administrator_id = s.administrator_id and a.enabled
 join administrator_credentials c on c.administrator_id = s.administrator_id and {UP_TO_DATE}
 left join second_factors f on f.administrator_id = s.administrator_id"""
FIND = f"""
select {WHO}, s.token_hash, s.csrf_token, s.seen_at from sessions s {NAMED}
where s.token_hash = %s and s.expires_at > %s"""
FIND_TOKEN = f"""
select {WHO}, s.token_hash, s.seen_at, s.token_id, s.scopes from api_tokens s {NAMED}
where s.token_hash = %s and s.revoked_at is null and coalesce(s.expires_at > %s, true)"""
TOUCH = "update sessions set seen_at = %s, expires_at = %s where token_hash = %s"
SEEN = "update api_tokens set seen_at = %s, seen_address = %s where token_hash = %s"
ADD = """
insert into sessions (token_hash, administrator_id, csrf_token, created_at, seen_at, expires_at,
 address, browser)
values (%(hash)s, %(administrator)s, %(csrf)s, %(now)s, %(now)s, %(until)s, %(address)s,
 %(browser)s)"""
REMOVE = "delete from sessions where token_hash = %s"

FIND_CREDENTIALS = f"""
select c.administrator_id, c.password_hash, a.enabled,
 f.confirmed_at is not null as second_factor
from administrator_credentials c
 join administrators a on a.administrator_id = c.administrator_id
 left join second_factors f on f.administrator_id = c.administrator_id
where c.sign_in_name = %s and {UP_TO_DATE}"""
HASH_OF = """
select password_hash from administrator_credentials where administrator_id = %s"""


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a name that somebody signs in under."""

    administrator_id: str
    password_hash: str
    enabled: bool
    second_factor: bool  # a code is asked for too


class Session(msgspec.Struct, frozen=True, kw_only=True):
    token_hash: bytes
    administrator_id: str
    csrf_token: str = ""
    seen_at: datetime | None
    sign_in_name: str
    name: str
    role: str
    must_change: bool
    companies: tuple[str, ...]  # that somebody is limited to; none: not limited
    must_enrol: bool  # two-factor is demanded and not set up
    token_id: str = ""  # of the API token that a program showed instead of a cookie
    scopes: tuple[str, ...] = ()  # of that token

    @property
    def reach(self) -> Reach:
        """Which companies whoever is signed in may see."""
        return Reach(tuple(self.companies)) if self.companies else EVERYTHING


def hash_token(token: str) -> bytes:
    """What the table keeps of a token."""
    return hashlib.sha256(token.encode()).digest()


async def find_session(
    connection: AsyncConnection[Any], token: str, now: datetime
) -> Session | None:
    """The session of a cookie's token, prolonged by this use of it."""
    async with connection.cursor(row_factory=class_row(Session)) as cursor:
        await cursor.execute(FIND, (hash_token(token), now))
        session = await cursor.fetchone()
    if session and _long_ago(session, now):
        await connection.execute(TOUCH, (now, now + LASTS, session.token_hash))
    return session


async def find_by_token(
    connection: AsyncConnection[Any], token: str, address: str, now: datetime
) -> Session | None:
    """In whose name a program acts that shows an API token, and within which scopes."""
    async with connection.cursor(row_factory=class_row(Session)) as cursor:
        await cursor.execute(FIND_TOKEN, (hash_token(token), now))
        session = await cursor.fetchone()
    if session and _long_ago(session, now):
        await connection.execute(SEEN, (now, address, session.token_hash))
    return session


def _long_ago(session: Session, now: datetime) -> bool:
    return session.seen_at is None or now - session.seen_at > TOUCH_AFTER


async def begin_session(
    connection: AsyncConnection[Any], administrator_id: str, address: str, browser: str
) -> str:
    """Open a session; the token that goes into the cookie and nowhere else."""
    token, now = secrets.token_urlsafe(32), datetime.now(UTC)
    values = {
        "hash": hash_token(token),
        "administrator": administrator_id,
        "csrf": secrets.token_urlsafe(24),
        "now": now,
        "until": now + LASTS,
        "address": address,
        "browser": browser[:LONGEST_BROWSER],
    }
    await connection.execute(ADD, values)
    return token


async def end_session(connection: AsyncConnection[Any], session: Session) -> None:
    """Sign out."""
    await connection.execute(REMOVE, (session.token_hash,))


async def find_credentials(
    connection: AsyncConnection[Any], sign_in_name: str
) -> Credentials | None:
    """What is known of a name."""
    async with connection.cursor(row_factory=class_row(Credentials)) as cursor:
        await cursor.execute(FIND_CREDENTIALS, (sign_in_name,))
        return await cursor.fetchone()


async def password_of(connection: AsyncConnection[Any], administrator_id: str) -> str | None:
    """The password hash of an administrator."""
    cursor = await connection.execute(HASH_OF, (administrator_id,))
    row = await cursor.fetchone()
    return str(row[0]) if row else None

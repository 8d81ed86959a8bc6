"""Sessions: opened, extended, ended; the login log records who ended them and why.

A half session belongs to somebody who gave the password but not yet the code: it opens nothing.
"""

import secrets
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import AsyncConnection

from billing.commands.sign_ins import LONGEST_BROWSER
from billing.credentials.tokens import hash_token, new_token

LASTS = timedelta(hours=12)  # after its last use
HALF_LASTS = timedelta(minutes=10)

ADD = """
insert into sessions (token_hash, administrator_id, csrf_token, created_at, seen_at, expires_at,
 address, browser)
values (%(hash)s, %(administrator)s, %(csrf)s, %(now)s, %(now)s, %(until)s, %(address)s,
 %(browser)s)"""
TOUCH = "update sessions set seen_at = %s, expires_at = %s where token_hash = %s"
REMOVE = "delete from sessions where token_hash = %s"
# Run when somebody signs in or opens the login log; the end in the log is the time of expiry.
MOVE_EXPIRED = """
with gone as (
 delete from sessions
 where expires_at < least(%s, (select at + interval '1 hour' from beats)) returning *)
insert into sign_ins (at, kind, reason, sign_in_name, administrator_id, address, browser)
select gone.expires_at, 'expired', '', coalesce(c.sign_in_name, ''), gone.administrator_id,
 gone.address, gone.browser
from gone left join administrator_credentials c on c.administrator_id = gone.administrator_id"""
ADD_HALF = """
insert into half_sessions (token_hash, administrator_id, expires_at) values (%s, %s, %s)"""
END_HALF = "delete from half_sessions where token_hash = %s or expires_at < %s"
# Sessions that had expired already are logged as expired, not as ended by somebody.
END = """
with gone as (
 delete from sessions where administrator_id = %(who)s and token_hash <> %(kept)s
  and (%(one)s = '' or left(encode(token_hash, 'hex'), 32) = %(one)s)
 returning *, expires_at < %(now)s as expired)
insert into sign_ins
 (at, kind, reason, sign_in_name, administrator_id, address, browser, ended_by)
select case when expired then gone.expires_at else %(now)s end,
 case when expired then 'expired' else 'ended' end, case when expired then '' else %(reason)s end,
 coalesce(c.sign_in_name, ''), gone.administrator_id, gone.address, gone.browser,
 case when expired then '' else %(by)s end
from gone left join administrator_credentials c on c.administrator_id = gone.administrator_id"""
END_HALVES = "delete from half_sessions where administrator_id = %s"


def end_sessions(
    connection: psycopg.Connection,
    administrator_id: str,
    reason: str,
    by: str,
    now: datetime,
    *,
    one: str = "",
    kept: bytes = b"",
) -> int:
    """End all sessions of an administrator except `kept`, or only `one`; return how many.

    `by` is the actor for the login log, `one` the start of a token's hash as 32 hexadecimal digits.
    """
    values = {
        "who": administrator_id,
        "reason": reason,
        "by": by,
        "now": now,
        "one": one,
        "kept": kept,
    }
    if not one:
        connection.execute(END_HALVES, (administrator_id,))
    return connection.execute(END, values).rowcount


async def begin_session(
    connection: AsyncConnection[Any],
    administrator_id: str,
    address: str,
    browser: str,
    now: datetime,
) -> str:
    """Open a session; return its token, which is for the cookie only."""
    token = new_token()
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


async def touch_session(connection: AsyncConnection[Any], token_hash: bytes, now: datetime) -> None:
    """Extend a session to twelve hours from now."""
    await connection.execute(TOUCH, (now, now + LASTS, token_hash))


async def end_session(connection: AsyncConnection[Any], token_hash: bytes) -> None:
    """End a session without logging it."""
    await connection.execute(REMOVE, (token_hash,))


async def end_expired(connection: AsyncConnection[Any], now: datetime) -> None:
    """Move expired sessions to the login log."""
    await connection.execute(MOVE_EXPIRED, (now,))


async def begin_half_session(
    connection: AsyncConnection[Any], administrator_id: str, now: datetime
) -> str:
    """Record that the password was right and the code is pending; return the cookie's token."""
    token = new_token()
    await connection.execute(ADD_HALF, (hash_token(token), administrator_id, now + HALF_LASTS))
    return token


async def end_half_session(
    connection: AsyncConnection[Any], token_hash: bytes, now: datetime
) -> None:
    """End a half session, and all expired ones."""
    await connection.execute(END_HALF, (token_hash, now))

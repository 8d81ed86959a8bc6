"""Who gave the password and not yet the code: a cookie of its own that opens nothing else."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row
from sanic import Request
from sanic.response import HTTPResponse

from billing.web.kit.sessions import hash_token
from billing.web.site import site_of

LASTS = timedelta(minutes=10)
ADD = """
insert into half_sessions (token_hash, administrator_id, expires_at) values (%s, %s, %s)"""
FIND = """
select h.token_hash, h.administrator_id, c.sign_in_name
from half_sessions h
 join administrators a on a.administrator_id = h.administrator_id and a.enabled
 join administrator_credentials c on c.administrator_id = h.administrator_id
where h.token_hash = %s and h.expires_at > %s"""
REMOVE = "delete from half_sessions where token_hash = %s or expires_at < %s"


class HalfSession(msgspec.Struct, frozen=True, kw_only=True):
    token_hash: bytes
    administrator_id: str
    sign_in_name: str


async def begin_half_session(connection: AsyncConnection[Any], administrator_id: str) -> str:
    """Remember that the password was right; the token for the cookie."""
    token = secrets.token_urlsafe(32)
    until = datetime.now(UTC) + LASTS
    await connection.execute(ADD, (hash_token(token), administrator_id, until))
    return token


async def find_half_session(
    connection: AsyncConnection[Any], request: Request[Any, Any]
) -> HalfSession | None:
    """Whose password was right a moment ago."""
    token = request.cookies.get(half_cookie(request))
    if not token:
        return None
    async with connection.cursor(row_factory=class_row(HalfSession)) as cursor:
        await cursor.execute(FIND, (hash_token(str(token)), datetime.now(UTC)))
        return await cursor.fetchone()


async def end_half_session(connection: AsyncConnection[Any], half: HalfSession) -> None:
    """It did its part; so did those that ran out."""
    await connection.execute(REMOVE, (half.token_hash, datetime.now(UTC)))


def half_cookie(request: Request[Any, Any]) -> str:
    """The name of its cookie."""
    return "__Host-half" if site_of(request).config.cookie_secure else "half"


def set_cookie(request: Request[Any, Any], response: HTTPResponse, name: str, token: str) -> None:
    """Keep a token in the browser until it closes; an empty one takes it away."""
    response.add_cookie(
        name,
        token,
        httponly=True,
        secure=site_of(request).config.cookie_secure,
        samesite="Lax",
        path="/",
        max_age=None if token else 0,
    )

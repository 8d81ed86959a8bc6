"""The cookies of sessions, and of sign-ins that wait for the code."""

from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection
from sanic import Request
from sanic.response import HTTPResponse

from billing.credentials.tokens import hash_token
from billing.queries.sessions import HalfSession, half_session
from billing.web.site import site_of


async def find_half_session(
    connection: AsyncConnection[Any], request: Request[Any, Any]
) -> HalfSession | None:
    """Return the sign-in that waits for its code; None if there is none."""
    token = request.cookies.get(half_cookie(request))
    if not token:
        return None
    return await half_session(connection, hash_token(str(token)), datetime.now(UTC))


def half_cookie(request: Request[Any, Any]) -> str:
    """Return the name of its cookie."""
    return "__Host-half" if site_of(request).config.cookie_secure else "half"


def set_cookie(request: Request[Any, Any], response: HTTPResponse, name: str, token: str) -> None:
    """Store a token in the browser until it closes; an empty token removes it."""
    response.add_cookie(
        name,
        token,
        httponly=True,
        secure=site_of(request).config.cookie_secure,
        samesite="Lax",
        path="/",
        max_age=None if token else 0,
    )

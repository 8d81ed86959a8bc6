"""Find the session of a cookie or API token; its use is stored at most once a minute."""

from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncConnection

from billing.commands.api_tokens import note_use
from billing.commands.sessions import touch_session
from billing.credentials.tokens import hash_token
from billing.queries.sessions import Session, session_by_cookie, session_by_token

TOUCH_AFTER = timedelta(minutes=1)  # a write for every request would be too many


async def find_session(
    connection: AsyncConnection[Any], token: str, now: datetime
) -> Session | None:
    """Return the session of a cookie's token, extended by this use; None if there is none."""
    session = await session_by_cookie(connection, hash_token(token), now)
    if session and _long_ago(session, now):
        await touch_session(connection, session.token_hash, now)
    return session


async def find_by_token(
    connection: AsyncConnection[Any], token: str, address: str, now: datetime
) -> Session | None:
    """Return the session of an API token, with its scopes; None if the token is invalid."""
    session = await session_by_token(connection, hash_token(token), now)
    if session and _long_ago(session, now):
        await note_use(connection, session.token_hash, address, now)
    return session


def _long_ago(session: Session, now: datetime) -> bool:
    return session.seen_at is None or now - session.seen_at > TOUCH_AFTER

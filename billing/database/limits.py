"""The time limits of statements: one for pages, one for files and replays."""

from typing import Any

import psycopg
from psycopg.errors import QueryCanceled

from billing.database.pulse import AsyncWatched, Watched

PAGE_SECONDS = 15
BACKGROUND_SECONDS = 600  # for files and replays: each statement, each fetch from a cursor
BACKGROUND = "contarifa background"  # the name of their connections in pg_stat_activity
LIMIT = "select set_config('statement_timeout', %s, false)"


def is_too_slow(error: BaseException | None) -> bool:
    """Return whether a statement was cancelled at its time limit."""
    return isinstance(error, QueryCanceled) or isinstance(
        getattr(error, "__cause__", None), QueryCanceled
    )


async def limit_page(connection: psycopg.AsyncConnection[Any]) -> None:
    """Limit the statements of a connection of the pages' pool."""
    await connection.execute(LIMIT, (f"{PAGE_SECONDS}s",))


def connect_page(url: str) -> psycopg.Connection[Any]:
    """Open a connection for a page that works in a thread."""
    connection = Watched.connect(url, autocommit=True)
    connection.execute(LIMIT, (f"{PAGE_SECONDS}s",))
    return connection


def connect_background(url: str) -> psycopg.Connection[Any]:
    """Open a connection for a file or a replay."""
    connection = Watched.connect(url, autocommit=True, application_name=BACKGROUND)
    connection.execute(LIMIT, (f"{BACKGROUND_SECONDS}s",))
    return connection


async def connect_background_async(url: str) -> psycopg.AsyncConnection[Any]:
    """Open a connection for a file, for the event loop."""
    connection = await AsyncWatched.connect(
        url, autocommit=True, prepare_threshold=None, application_name=BACKGROUND
    )
    await connection.execute(LIMIT, (f"{BACKGROUND_SECONDS}s",))
    return connection

"""Carry out commands in the name of the signed-in administrator, then redirect to a page."""

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

from sanic import Request
from sanic.exceptions import ServiceUnavailable
from sanic.response import HTTPResponse, redirect

from billing.aggregates.event import Envelope
from billing.database.pulse import Watched
from billing.doors.addresses import ip_address_of
from billing.log.positions import wait_until_shown_async
from billing.log.store import Store
from billing.web.kit.access import current_session
from billing.web.kit.i18n import gettext
from billing.web.kit.pages import NOTICE
from billing.web.site import site_of

T = TypeVar("T")
NOTICE_SECONDS = 15
WRITE_SECONDS = 15.0  # a page waits for its commands
PATIENCE_SECONDS = 2.0  # wait for the read models


async def envelope_of(request: Request[Any, Any]) -> Envelope:
    """Return an envelope with actor, IP address and time. The handler must require a session."""
    session = await current_session(request)
    actor = f"administrator:{session.administrator_id}" if session else "system"
    return Envelope(
        recorded_at=datetime.now(UTC),
        actor=actor,
        address=ip_address_of(request),
        request_id=str(request.id),
        token_id=session.token_id if session else "",
    )


def envelope_in_name_of(request: Request[Any, Any], administrator_id: str) -> Envelope:
    """Return an envelope like `envelope_of` for an administrator who is not signed in yet."""
    return Envelope(
        recorded_at=datetime.now(UTC),
        actor=f"administrator:{administrator_id}",
        address=ip_address_of(request),
        request_id=str(request.id),
    )


async def carry_out(
    request: Request[Any, Any], handler: Callable[[Store, Any, Envelope], int], command: Any
) -> bool:
    """Carry out a command in the name of the signed-in administrator. Raises its refusal.

    Return True when the read models show the event, False after two seconds.
    """
    site = site_of(request)
    envelope = await envelope_of(request)
    position = await write(request, lambda: handler(site.store, command, envelope))
    return await until_shown(request, position)


async def write(request: Request[Any, Any], work: Callable[[], T]) -> T:
    """Run in a thread what changes something; return its result.

    Raises ServiceUnavailable if it takes too long, as while a standby is away: a commit that has
    begun continues then, and work that has not begun is not done.
    """
    run = copy_context().run
    writing = asyncio.get_running_loop().run_in_executor(site_of(request).writers, run, work)
    done, _ = await asyncio.wait({writing}, timeout=WRITE_SECONDS)
    if not done:
        writing.cancel()
        raise ServiceUnavailable("A commit waits.")
    return await writing


async def until_shown(request: Request[Any, Any], position: int) -> bool:
    """Wait until the read models show the log up to a position; return False after two seconds."""
    async with site_of(request).pool.connection() as connection:
        return await wait_until_shown_async(connection, position, PATIENCE_SECONDS)


def connected(handler: Callable[..., int]) -> Callable[[Store, Any, Envelope], int]:
    """Return a handler that opens a connection for a handler that changes secrets."""

    def handle(store: Store, command: Any, envelope: Envelope) -> int:
        with Watched.connect(store.url, autocommit=True) as connection:
            return handler(store, connection, command, envelope)

    return handle


async def with_secrets(
    request: Request[Any, Any],
    handler: Callable[..., T],
    command: Any,
    envelope: Envelope | None = None,
) -> T:
    """Carry out a command that changes secrets; return its result. Waits for no read model."""
    site, said = site_of(request), envelope or await envelope_of(request)

    def handle() -> T:
        with site.connect() as connection:
            return handler(site.store, connection, command, said)

    return await write(request, handle)


def go_on(path: str, done: str, *, shown: bool = True) -> HTTPResponse:
    """Redirect to the page that shows the change, with a notice."""
    said = done if shown else done + " " + gettext("The page is still being updated.")
    response = redirect(path, status=303)
    response.add_cookie(
        NOTICE, quote(said), path="/", max_age=NOTICE_SECONDS, samesite="Lax", secure=False
    )
    return response

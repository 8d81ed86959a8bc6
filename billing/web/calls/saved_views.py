"""Filters of the call list that each administrator saves under a name."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

from psycopg import AsyncConnection
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, redirect

from billing.commands import saved_views as commands
from billing.queries.saved_views import views_of
from billing.values import Refused
from billing.web.calls.filters import NAMES
from billing.web.kit.access import EVERY_ROLE, admits, current_session, form_value
from billing.web.site import site_of

LONGEST_NAME, LONGEST_QUERY = 60, 2_000
blueprint = Blueprint("saved_views")


async def saved_views(
    connection: AsyncConnection[Any], request: Request[Any, Any]
) -> list[tuple[str, str]]:
    """Return the names and URLs of the signed-in administrator's views."""
    views = await views_of(connection, await _who(request))
    return [(name, f"/calls?{query}") for name, query in views]


@blueprint.post("/calls/views")
@admits(*EVERY_ROLE, limited=True)
async def save_view(request: Request[Any, Any]) -> HTTPResponse:
    """Save the present filter under a name; it replaces a view of the same name."""
    name = form_value(request, "name").strip()
    given = parse_qsl(form_value(request, "query")[:LONGEST_QUERY])
    query = urlencode([(key, value) for key, value in given if key in NAMES])
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Refused("A view needs a name of at most %(most)s characters.", most=LONGEST_NAME)
    async with site_of(request).pool.connection() as connection:
        await commands.save_view(connection, await _who(request), name, query)
    return redirect(f"/calls?{query}", status=303)


@blueprint.post("/calls/views/remove")
@admits(*EVERY_ROLE, limited=True)
async def remove_view(request: Request[Any, Any]) -> HTTPResponse:
    """Remove a view."""
    name = form_value(request, "name")
    async with site_of(request).pool.connection() as connection:
        await commands.remove_view(connection, await _who(request), name)
    return redirect("/calls", status=303)


async def _who(request: Request[Any, Any]) -> str:
    session = await current_session(request)
    return session.administrator_id if session else ""

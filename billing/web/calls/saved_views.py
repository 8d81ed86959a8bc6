"""Filters of the call list under a name, each administrator's own."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

from psycopg import AsyncConnection
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, redirect

from billing.values import Refused
from billing.web.calls.filters import NAMES
from billing.web.kit.access import EVERY_ROLE, admits, current_session, form_value
from billing.web.site import site_of

LONGEST_NAME, LONGEST_QUERY, MOST = 60, 2_000, 50
VIEWS = "select name, query from saved_views where administrator_id = %s order by lower(name), name"
SAVE = """
insert into saved_views (administrator_id, name, query)
select %(administrator)s, %(name)s, %(query)s
where (select count(*) from saved_views where administrator_id = %(administrator)s) < %(most)s
on conflict (administrator_id, name) do update set query = excluded.query"""
REMOVE = "delete from saved_views where administrator_id = %s and name = %s"
blueprint = Blueprint("saved_views")


async def saved_views(
    connection: AsyncConnection[Any], request: Request[Any, Any]
) -> list[tuple[str, str]]:
    """The names and addresses of the views of whoever asks."""
    cursor = await connection.execute(VIEWS, (await _who(request),))
    return [(name, f"/calls?{query}") for name, query in await cursor.fetchall()]


@blueprint.post("/calls/views")
@admits(*EVERY_ROLE, limited=True)
async def save_view(request: Request[Any, Any]) -> HTTPResponse:
    """Keep the filter in hand under a name; one that has the name gives way."""
    name = form_value(request, "name").strip()
    given = parse_qsl(form_value(request, "query")[:LONGEST_QUERY])
    query = urlencode([(key, value) for key, value in given if key in NAMES])
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Refused("A view needs a name of at most %(most)s characters.", most=LONGEST_NAME)
    values = {"administrator": await _who(request), "name": name, "query": query, "most": MOST}
    async with site_of(request).pool.connection() as connection:
        await connection.execute(SAVE, values)
    return redirect(f"/calls?{query}", status=303)


@blueprint.post("/calls/views/remove")
@admits(*EVERY_ROLE, limited=True)
async def remove_view(request: Request[Any, Any]) -> HTTPResponse:
    """Forget a view."""
    name = form_value(request, "name")
    async with site_of(request).pool.connection() as connection:
        await connection.execute(REMOVE, (await _who(request), name))
    return redirect("/calls", status=303)


async def _who(request: Request[Any, Any]) -> str:
    session = await current_session(request)
    return session.administrator_id if session else ""

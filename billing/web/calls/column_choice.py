"""The columns of the call list and their order, chosen by each administrator."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from psycopg import AsyncConnection
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.commands import call_columns as commands
from billing.queries.call_columns import columns_of
from billing.web.acting import go_on
from billing.web.calls.columns import COLUMNS, SUMMED, USUAL
from billing.web.calls.filters import NAMES
from billing.web.kit.access import EVERY_ROLE, admits, current_session, form_value
from billing.web.kit.i18n import gettext
from billing.web.kit.pages import page
from billing.web.site import site_of

LONGEST_QUERY = 2_000
blueprint = Blueprint("call_columns")


class Shown(msgspec.Struct, frozen=True):
    """The columns of a list, in order; `own` if the administrator chose them."""

    names: tuple[str, ...] = USUAL
    own: bool = False

    @property
    def leading(self) -> int:
        """How many columns the label of the totals spans: the date and columns without a sum."""
        sums = (place for place, name in enumerate(self.names, 1) if name in SUMMED)
        return next(sums, len(self.names) + 1) if self.own else 2


async def shown_columns(connection: AsyncConnection[Any], request: Request[Any, Any]) -> Shown:
    """Return the columns for the signed-in administrator."""
    names = await columns_of(connection, await _who(request))
    return Shown() if names is None else Shown(_known(names), own=True)


@blueprint.get("/calls/columns")
@admits(*EVERY_ROLE, limited=True)
async def ask_columns(request: Request[Any, Any]) -> HTTPResponse:
    """Show all columns, to choose some and put them in order."""
    async with site_of(request).pool.connection() as connection:
        shown = await shown_columns(connection, request)
    order = (*shown.names, *(name for name in COLUMNS if name not in shown.names))
    return _show(request, order, set(shown.names), _query(request.query_string))


@blueprint.post("/calls/columns")
@admits(*EVERY_ROLE, limited=True)
async def choose_columns(request: Request[Any, Any]) -> HTTPResponse:
    """Move a column and show the form again; or store the choice, or reset it."""
    query, step = _query(form_value(request, "query")), form_value(request, "move")
    order, chosen = _known(_values(request, "order")), set(_values(request, "show"))
    if step:
        return _show(request, _moved(order, step), chosen, query)
    names, who = [name for name in order if name in chosen], await _who(request)
    async with site_of(request).pool.connection() as connection:
        if form_value(request, "usual") or names in ([], list(USUAL)):
            await commands.forget_columns(connection, who)
        else:
            await commands.choose_columns(connection, who, names)
    path = f"/calls?{query}" if query else "/calls"
    return go_on(path, gettext("The columns are kept for you."))


def _values(request: Request[Any, Any], name: str) -> list[str]:
    """Return every value of a field of the form."""
    return request.form.getlist(name, []) if request.form else []


def _show(
    request: Request[Any, Any], order: Sequence[str], chosen: set[str], query: str
) -> HTTPResponse:
    """Show the form with all columns in an order that is not stored yet."""
    columns = [(name, gettext(COLUMNS[name].label), name in chosen) for name in order]
    return page(
        request, "calls/call_columns.html", page="calls", columns=columns, query_string=query
    )


def _moved(order: tuple[str, ...], step: str) -> tuple[str, ...]:
    """Return the order after a column went up or down; `step` is for example "up:amount"."""
    way, _, name = step.partition(":")
    if name not in order:
        return order
    moved = [each for each in order if each != name]
    place = order.index(name) + (-1 if way == "up" else 1)
    moved.insert(max(place, 0), name)
    return tuple(moved)


def _known(names: list[str]) -> tuple[str, ...]:
    """Return the known columns, each once: a stored choice may be from another version."""
    return tuple(dict.fromkeys(name for name in names if name in COLUMNS))


def _query(text: str) -> str:
    """Return the present filter without its place in the list."""
    given = parse_qsl(text[:LONGEST_QUERY])
    return urlencode([(key, value) for key, value in given if key in NAMES])


async def _who(request: Request[Any, Any]) -> str:
    session = await current_session(request)
    return session.administrator_id if session else ""

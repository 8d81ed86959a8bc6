"""Pairs of records that devices in a cascade made of the same call: the list, and parting one."""

from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.commands.cascades import PartCalls, part_calls
from billing.log.sealing import CALLS
from billing.queries import cascades as reading
from billing.queries.names import stream_names
from billing.values import Refused
from billing.web.acting import carry_out, go_on
from billing.web.kit import words
from billing.web.kit.access import ADMINISTRATORS_AND_OPERATORS, EVERY_ROLE, admits
from billing.web.kit.filters import choice, read_listing
from billing.web.kit.formats import segment
from billing.web.kit.forms import Form
from billing.web.kit.i18n import gettext
from billing.web.kit.lists import PAGE_SIZE, list_page
from billing.web.site import site_of

blueprint = Blueprint("cascades")


@blueprint.get("/cascades")
@admits(*EVERY_ROLE)
async def list_pairs(request: Request[Any, Any]) -> HTTPResponse:
    """Show the pairs, newest first, with the differences of their records."""
    listing = read_listing(request, ("state",), reading.KEY_TYPE)
    state = choice(listing.given, "state", words.PAIR_STATES)
    async with site_of(request).pool.connection() as connection:
        found = await reading.list_pairs(connection, state, listing.place, PAGE_SIZE)
        names = await stream_names(connection, {each.parted_by for each in found.rows})
    return list_page(
        request,
        "calls/pairs.html",
        "calls/_pair_results.html",
        listing,
        found,
        state=state,
        names=names,
    )


@blueprint.post("/cascades/part")
@admits(*ADMINISTRATORS_AND_OPERATORS)
async def part_pair(request: Request[Any, Any]) -> HTTPResponse:
    """Separate a call from the one that it is paired with, and charge both."""
    form = Form.of(request)
    call_id, reason = form.text("call", longest=500), form.text("reason", required=False)
    path = "/calls/" + segment(call_id)
    if form.errors:
        return go_on(path, next(iter(form.errors.values())))
    command = PartCalls(stream=CALLS + call_id, reason=reason)
    try:
        shown = await carry_out(request, part_calls, command)
    except Refused as refusal:
        return go_on(path, gettext(refusal.message, **refusal.values))
    said = gettext("The pair was separated. Both calls are charged.")
    return go_on(path, said, shown=shown)

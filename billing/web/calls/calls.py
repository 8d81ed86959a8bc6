"""The call list, and the page of one call."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from psycopg import AsyncConnection
from sanic import Blueprint, Request
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse

from billing.queries import calls as reading
from billing.queries.call_filter import CallFilter
from billing.queries.call_totals import area_choices, total_calls
from billing.queries.cascades import pairs_of
from billing.queries.keeping import archived_between
from billing.queries.names import (
    account_names,
    company_choices,
    device_choices,
    device_name,
    stream_names,
    sub_account_choices,
)
from billing.web.calls.column_choice import shown_columns
from billing.web.calls.columns import COLUMNS
from billing.web.calls.filters import MORE, read_call_filter
from billing.web.calls.saved_views import saved_views
from billing.web.calls.story import tell_story
from billing.web.kit import words
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.explain import explain
from billing.web.kit.filters import presets
from billing.web.kit.lists import PAGE_SIZE
from billing.web.kit.pages import is_partial, page
from billing.web.kit.reach import reach_of
from billing.web.site import site_of

LONGEST_ID = 500
blueprint = Blueprint("calls")


@blueprint.get("/calls")
@admits(*EVERY_ROLE, limited=True)
async def list_calls(request: Request[Any, Any]) -> HTTPResponse:
    """Show the calls of the filter, newest first, with their totals."""
    site = site_of(request)
    wanted, listing = read_call_filter(request, site.zone)
    partial = is_partial(request)
    async with site.pool.connection() as connection:
        arrived = reading.arrived_within(wanted.reach, await reading.count_arrived(connection))
        found = await reading.list_calls(connection, wanted, listing.place, PAGE_SIZE)
        totals = await total_calls(connection, wanted)
        months = [each.isoformat()[:7] for each in (wanted.period.first, wanted.period.last)]
        archived = await archived_between(connection, months[0], months[1])
        choices = {} if partial else await _choices(connection, wanted)
        saved = await saved_views(connection, request)
        shown = await shown_columns(connection, request)
    today = datetime.now(UTC).astimezone(site.zone).date()
    return page(
        request,
        "calls/_call_results.html" if partial else "calls/calls.html",
        page="calls",
        wanted=wanted,
        given=listing.given,
        found=found,
        totals=totals,
        choices=choices,
        saved=saved,
        shown=shown,
        columns=COLUMNS,
        archived=archived,
        more=[name for name in MORE if name in listing.given],
        arrived=arrived,
        today=today,
        presets=presets(today),
        path="/calls",
    )


async def _choices(connection: AsyncConnection[Any], wanted: CallFilter) -> dict[str, Any]:
    reach, company = wanted.reach, wanted.company_id
    user, gateway = wanted.user_account, wanted.gateway_account
    return {
        "companies": await company_choices(connection, reach, company),
        "devices": await device_choices(connection, reach, wanted.device_id),
        "users": await sub_account_choices(connection, reach, "user", company, user),
        "gateways": await sub_account_choices(connection, reach, "gateway", company, gateway),
        "areas": await area_choices(connection, reach, wanted.period),
    }


@blueprint.get("/calls/<quoted_id:path>")
@admits(*EVERY_ROLE, limited=True)
async def show_call(request: Request[Any, Any], quoted_id: str) -> HTTPResponse:
    """Show a call: its charge and the reasons for it, its record as received, its events."""
    site, call_id = site_of(request), unquote(quoted_id)
    if len(call_id) > LONGEST_ID or "\x00" in call_id:
        raise NotFound
    events = await asyncio.to_thread(site.store.load, f"call:{call_id}")
    if not events:
        raise NotFound
    story = tell_story(call_id, events)
    rating = story.rating
    streams = [f"company:{rating.company_id}", rating.user_account, rating.gateway_account]
    actors = {record.envelope.actor for record in events}
    async with site.pool.connection() as connection:
        names = await account_names(connection, reach_of(request), [*streams, rating.payer])
        device = await device_name(connection, story.device_id)
        pairs = [] if reach_of(request).limited else await pairs_of(connection, call_id)
        names |= await stream_names(connection, actors | {each.parted_by for each in pairs})
    return page(
        request,
        "calls/call.html",
        page="calls",
        story=story,
        pairs=pairs,
        names=names,
        device=device,
        steps=explain(rating.steps, rating.currency, names),
        flags=[words.word(words.FLAGS, flag) for flag in rating.flags],
    )

"""The devices page: which phone systems send records, and when each did last."""

from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.queries import devices as reading
from billing.queries.names import company_choices
from billing.web.kit import words
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.filters import Listing, choice, read_listing
from billing.web.kit.pages import is_partial, page
from billing.web.kit.reach import reach_of
from billing.web.site import site_of

PAGE_SIZE = 50
blueprint = Blueprint("devices")


def read_filter(request: Request[Any, Any]) -> tuple[reading.DeviceFilter, Listing]:
    """The devices a URL asks for."""
    listing = read_listing(request, ("q", "company", "state"), reading.KEY_TYPE)
    wanted = reading.DeviceFilter(
        reach=reach_of(request),
        text=listing.given.get("q", ""),
        company_id=listing.given.get("company", ""),
        state=choice(listing.given, "state", words.DEVICE_STATES),
        zone=site_of(request).zone.key,
    )
    return wanted, listing


@blueprint.get("/devices")
@admits(*EVERY_ROLE, limited=True)
async def list_devices(request: Request[Any, Any]) -> HTTPResponse:
    """The devices of the filter by name, with the totals of all of them."""
    wanted, listing = read_filter(request)
    async with site_of(request).pool.connection() as connection:
        found = await reading.list_devices(connection, wanted, listing.place, PAGE_SIZE)
        totals = await reading.total_devices(connection, wanted)
        companies = await company_choices(connection, wanted.reach, wanted.company_id)
    return page(
        request,
        "devices/_device_results.html" if is_partial(request) else "devices/devices.html",
        page="devices",
        wanted=wanted,
        given=listing.given,
        found=found,
        totals=totals,
        companies=companies,
        path="/devices",
    )

"""The companies page: who is billed, and how each account stands."""

from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.queries import companies as reading
from billing.web.kit import words
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.filters import Listing, choice, read_listing
from billing.web.kit.pages import is_partial, page
from billing.web.kit.reach import reach_of
from billing.web.site import site_of

PAGE_SIZE = 50
blueprint = Blueprint("accounts")


def read_filter(request: Request[Any, Any]) -> tuple[reading.CompanyFilter, Listing]:
    """The companies a URL asks for."""
    listing = read_listing(request, ("q", "state"), reading.KEY_TYPE)
    wanted = reading.CompanyFilter(
        reach=reach_of(request),
        text=listing.given.get("q", ""),
        state=choice(listing.given, "state", words.ACCOUNT_STATES),
    )
    return wanted, listing


@blueprint.get("/companies")
@admits(*EVERY_ROLE, limited=True)
async def list_companies(request: Request[Any, Any]) -> HTTPResponse:
    """The companies of the filter by name, with the totals of all of them."""
    wanted, listing = read_filter(request)
    async with site_of(request).pool.connection() as connection:
        found = await reading.list_companies(connection, wanted, listing.place, PAGE_SIZE)
        totals = await reading.total_companies(connection, wanted)
    return page(
        request,
        "accounts/_company_results.html" if is_partial(request) else "accounts/companies.html",
        page="companies",
        wanted=wanted,
        given=listing.given,
        found=found,
        totals=totals,
        path="/companies",
    )

"""The lists of user accounts and of gateway accounts."""

from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.queries import sub_accounts as reading
from billing.queries.names import company_choices
from billing.web.accounts.opening import kind_of, list_of
from billing.web.kit import words
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.filters import Listing, choice, read_listing
from billing.web.kit.pages import is_partial, page
from billing.web.kit.reach import reach_of
from billing.web.site import site_of

PAGE_SIZE = 50
blueprint = Blueprint("sub_accounts")


def read_filter(request: Request[Any, Any]) -> tuple[reading.SubAccountFilter, Listing]:
    """The filter a URL gives, and the place in the list."""
    listing = read_listing(request, ("q", "company", "state"), reading.KEY_TYPE)
    return reading.SubAccountFilter(
        reach=reach_of(request),
        kind=kind_of(request),
        text=listing.given.get("q", ""),
        company_id=listing.given.get("company", ""),
        state=choice(listing.given, "state", words.ACCOUNT_STATES),
    ), listing


@blueprint.get("/user-accounts", name="list_user_accounts")
@blueprint.get("/gateway-accounts", name="list_gateway_accounts")
@admits(*EVERY_ROLE, limited=True)
async def list_sub_accounts(request: Request[Any, Any]) -> HTTPResponse:
    """The accounts of the filter by name, with the totals of all of them."""
    wanted, listing = read_filter(request)
    async with site_of(request).pool.connection() as connection:
        found = await reading.list_sub_accounts(connection, wanted, listing.place, PAGE_SIZE)
        totals = await reading.total_sub_accounts(connection, wanted)
        companies = await company_choices(connection, wanted.reach, wanted.company_id)
    which = list_of(request)
    return page(
        request,
        "accounts/_sub_account_results.html"
        if is_partial(request)
        else "accounts/sub_accounts.html",
        page=which,
        which=which,
        wanted=wanted,
        given=listing.given,
        found=found,
        totals=totals,
        companies=companies,
        path=f"/{which}",
    )

"""The companies and their balances; the page and its files."""

from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.queries import companies as reading
from billing.web.files.delivery import Answer
from billing.web.files.lists import Field, ListFile, all_pages, send_list
from billing.web.kit import words
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.filters import Listing, choice, read_listing
from billing.web.kit.i18n import gettext
from billing.web.kit.lists import PAGE_SIZE, list_page
from billing.web.kit.reach import reach_of
from billing.web.site import site_of

blueprint = Blueprint("accounts")


def read_filter(request: Request[Any, Any]) -> tuple[reading.CompanyFilter, Listing]:
    """Return the filter of companies that a URL requests."""
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
    """Show the companies of the filter by name, with their totals."""
    wanted, listing = read_filter(request)
    async with site_of(request).pool.connection() as connection:
        found = await reading.list_companies(connection, wanted, listing.place, PAGE_SIZE)
        totals = await reading.total_companies(connection, wanted)
    return list_page(
        request,
        "accounts/companies.html",
        "accounts/_company_results.html",
        listing,
        found,
        wanted=wanted,
        totals=totals,
    )


@blueprint.get("/companies/export.csv", name="companies_csv")
@blueprint.get("/companies/export.xlsx", name="companies_excel")
@admits(*EVERY_ROLE, limited=True, scope="accounts")
async def export_companies(request: Request[Any, Any]) -> Answer:
    """Send the companies of the filter as a file."""
    wanted, listing = read_filter(request)
    file = ListFile(
        title=gettext("Companies"),
        fields=_fields(),
        rows=all_pages(site_of(request), reading.list_companies, wanted, reading.KEY_TYPE),
        given=listing.given,
    )
    return await send_list(request, file)


def _fields() -> list[Field[reading.CompanyRow]]:
    return [
        Field(gettext("Company"), lambda row: row.name, width=30),
        Field(gettext("State"), lambda row: words.word(words.ACCOUNT_STATES, row.state), width=14),
        Field(gettext("Payment"), lambda row: words.word(words.PAYMENTS, row.payment), width=14),
        Field(gettext("Rate group"), lambda row: row.rate_group, width=24),
        Field(gettext("User accounts"), lambda row: row.user_accounts, "count", sum=True),
        Field(gettext("Gateway accounts"), lambda row: row.gateway_accounts, "count", sum=True),
        Field(gettext("Calls"), lambda row: row.calls, "count", sum=True),
        Field(gettext("Charged"), lambda row: row.charged_micros, "amount", sum=True),
        Field(gettext("Balance"), lambda row: row.balance_micros, "amount", sum=True),
        Field(gettext("Currency"), lambda row: row.currency, "currency", 10),
    ]

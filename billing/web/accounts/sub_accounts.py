"""The lists of user accounts and of gateway accounts."""

from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.queries import sub_accounts as reading
from billing.queries.names import company_choices
from billing.web.accounts.opening import kind_of, list_of
from billing.web.files.delivery import Answer
from billing.web.files.lists import Field, ListFile, all_pages, send_list
from billing.web.kit import words
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.filters import Listing, choice, read_listing
from billing.web.kit.i18n import gettext
from billing.web.kit.lists import PAGE_SIZE, list_page
from billing.web.kit.reach import reach_of
from billing.web.site import site_of

blueprint = Blueprint("sub_accounts")


def read_filter(request: Request[Any, Any]) -> tuple[reading.SubAccountFilter, Listing]:
    """Return the filter and the place in the list that a URL requests."""
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
    """Show the accounts of the filter by name, with their totals."""
    wanted, listing = read_filter(request)
    async with site_of(request).pool.connection() as connection:
        found = await reading.list_sub_accounts(connection, wanted, listing.place, PAGE_SIZE)
        totals = await reading.total_sub_accounts(connection, wanted)
        companies = await company_choices(connection, wanted.reach, wanted.company_id)
    which = list_of(request)
    return list_page(
        request,
        "accounts/sub_accounts.html",
        "accounts/_sub_account_results.html",
        listing,
        found,
        which=which,
        wanted=wanted,
        totals=totals,
        companies=companies,
    )


@blueprint.get("/user-accounts/export.csv", name="user_accounts_csv")
@blueprint.get("/user-accounts/export.xlsx", name="user_accounts_excel")
@blueprint.get("/gateway-accounts/export.csv", name="gateway_accounts_csv")
@blueprint.get("/gateway-accounts/export.xlsx", name="gateway_accounts_excel")
@admits(*EVERY_ROLE, limited=True, scope="accounts")
async def export_sub_accounts(request: Request[Any, Any]) -> Answer:
    """Send the accounts of the filter as a file."""
    wanted, listing = read_filter(request)
    users = wanted.kind == "user"
    file = ListFile(
        title=gettext("User accounts") if users else gettext("Gateway accounts"),
        fields=_fields(gettext("Extensions") if users else gettext("Trunks and gateways")),
        rows=all_pages(site_of(request), reading.list_sub_accounts, wanted, reading.KEY_TYPE),
        given=listing.given,
    )
    return await send_list(request, file)


def _fields(lines: str) -> list[Field[reading.SubAccountRow]]:
    return [
        Field(gettext("Name"), lambda row: row.name, width=30),
        Field(gettext("Company"), lambda row: row.company, width=30),
        Field(lines, lambda row: row.lines, width=30),
        Field(gettext("State"), lambda row: words.word(words.ACCOUNT_STATES, row.state), width=14),
        Field(gettext("Own balance"), lambda row: words.yes_or_no(yes=row.own_wallet), width=14),
        Field(gettext("Balance"), _own_balance, "amount", sum=True),
        Field(gettext("Currency"), lambda row: row.currency, "currency", 10),
    ]


def _own_balance(row: reading.SubAccountRow) -> int | None:
    return row.balance_micros if row.own_wallet else None

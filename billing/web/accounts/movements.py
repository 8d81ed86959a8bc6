"""The movements of all accounts: recharges, reversals and adjustments."""

from datetime import UTC, datetime
from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.queries import money
from billing.queries.names import account_names, company_choices, every_actor, stream_names
from billing.web.files.delivery import Answer
from billing.web.files.lists import Field, ListFile, all_pages, send_list
from billing.web.kit import words
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.filters import choice, read_listing, read_period
from billing.web.kit.i18n import gettext
from billing.web.kit.lists import PAGE_SIZE, days_to_choose, list_page
from billing.web.kit.reach import reach_of
from billing.web.site import site_of

FILTERS = ("from", "to", "q", "company", "of", "kind", "account")
blueprint = Blueprint("movements")


def read_filter(request: Request[Any, Any]) -> tuple[money.MovementFilter, Any]:
    """Return the filter and the place in the list that a URL requests."""
    listing = read_listing(request, FILTERS, money.KEY_TYPE)
    given, zone = listing.given, site_of(request).zone
    today = datetime.now(UTC).astimezone(zone).date()
    everything = "account" in given and not ("from" in given or "to" in given)
    return money.MovementFilter(
        reach=reach_of(request),
        period=None if everything else read_period(given, today),
        zone=zone,
        account=given.get("account", ""),
        account_kind=choice(given, "of", words.ACCOUNT_KINDS),
        company_id=given.get("company", ""),
        kind=choice(given, "kind", words.MOVEMENTS),
        text=given.get("q", ""),
    ), listing


@blueprint.get("/movements")
@admits(*EVERY_ROLE, limited=True)
async def list_movements(request: Request[Any, Any]) -> HTTPResponse:
    """Show the movements of the filter, newest first, with their totals."""
    wanted, listing = read_filter(request)
    site = site_of(request)
    async with site.pool.connection() as connection:
        found = await money.list_movements(connection, wanted, listing.place, PAGE_SIZE)
        totals = await money.total_movements(connection, wanted)
        companies = await company_choices(connection, wanted.reach, wanted.company_id)
        names = await account_names(connection, wanted.reach, [wanted.account])
        names |= await stream_names(connection, {row.actor for row in found.rows})
    return list_page(
        request,
        "accounts/movements.html",
        "accounts/_movement_results.html",
        listing,
        found,
        wanted=wanted,
        totals=totals,
        companies=companies,
        account_name=names.get(wanted.account, wanted.account),
        names=names,
        **days_to_choose(site.zone),
    )


@blueprint.get("/movements/export.csv", name="movements_csv")
@blueprint.get("/movements/export.xlsx", name="movements_excel")
@admits(*EVERY_ROLE, limited=True, scope="accounts")
async def export_movements(request: Request[Any, Any]) -> Answer:
    """Send the movements of the filter as a file."""
    wanted, listing = read_filter(request)
    async with site_of(request).pool.connection() as connection:
        names = await every_actor(connection)
    file = ListFile(
        title=gettext("Recharges"),
        fields=_fields(names),
        rows=all_pages(site_of(request), money.list_movements, wanted, money.KEY_TYPE),
        given=listing.given,
        period=wanted.period,
    )
    return await send_list(request, file)


def _fields(names: dict[str, str]) -> list[Field[money.MovementRow]]:
    return [
        Field(gettext("Date and time"), lambda row: row.recorded_at, "time", 24),
        Field(gettext("Account"), lambda row: row.name, width=28),
        Field(gettext("Kind of account"), lambda row: _account_kind(row.account), width=18),
        Field(gettext("Company"), lambda row: row.company, width=28),
        Field(gettext("Kind"), lambda row: words.word(words.MOVEMENTS, row.kind), width=14),
        Field(gettext("Before"), lambda row: row.before_micros, "amount"),
        Field(gettext("Amount"), lambda row: row.amount_micros, "amount", sum=True),
        Field(gettext("After"), lambda row: row.after_micros, "amount"),
        Field(gettext("Currency"), lambda row: row.currency, "currency", 10),
        Field(gettext("Reason"), lambda row: row.reason, width=36),
        Field(gettext("Reference"), lambda row: row.reference, width=20),
        Field(gettext("Reversed"), lambda row: gettext("yes") if row.reversed else "", width=10),
        Field(gettext("By"), lambda row: words.actor(row.actor, names), width=18),
        Field(gettext("IP address"), lambda row: words.address(row.address), width=16),
    ]


def _account_kind(account: str) -> str:
    return words.word(words.ACCOUNT_KINDS, account.partition(":")[0])

"""The prices of two rate groups side by side: the page and its files."""

from collections.abc import Awaitable
from typing import Any

from psycopg import AsyncConnection
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.queries import prices
from billing.queries.paging import Page, Place
from billing.queries.suspended import all_groups
from billing.web.files.delivery import Answer
from billing.web.files.lists import Field, ListFile, all_pages, send_list
from billing.web.kit import words
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.filters import read_listing
from billing.web.kit.i18n import gettext
from billing.web.kit.lists import PAGE_SIZE
from billing.web.kit.pages import page_or_part
from billing.web.rates.rate_form import micros_of, target_words
from billing.web.rates.rate_groups import find_group, requested_moment
from billing.web.site import site_of

blueprint = Blueprint("comparison")


@blueprint.get("/rate-groups/compare")
@admits(*EVERY_ROLE)
async def compare(request: Request[Any, Any]) -> HTTPResponse:
    """Show two groups side by side."""
    listing = read_listing(request, ("one", "other", "all", "on"), prices.KEY_TYPE)
    chosen = (listing.given.get("one", ""), listing.given.get("other", ""))
    at = requested_moment(request, listing)
    async with site_of(request).pool.connection() as connection:
        groups = await all_groups(connection)
        found = await prices.compare_groups(
            connection,
            chosen,
            at,
            listing.place,
            PAGE_SIZE,
            different="all" not in listing.given,
        )
    return page_or_part(
        request,
        "rates/rate_compare.html",
        "rates/_compare_results.html",
        page="rate-groups",
        given=listing.given,
        groups=groups,
        chosen=[next((g for g in groups if g[0] == each), None) for each in chosen],
        found=found,
    )


@blueprint.get("/rate-groups/compare/export.csv", name="compare_csv")
@blueprint.get("/rate-groups/compare/export.xlsx", name="compare_excel")
@admits(*EVERY_ROLE)
async def export_comparison(request: Request[Any, Any]) -> Answer:
    """Send the prices of two groups side by side as a file."""
    listing = read_listing(request, ("one", "other", "all", "on"), prices.KEY_TYPE)
    given, at = listing.given, requested_moment(request, listing)
    chosen = (given.get("one", ""), given.get("other", ""))
    groups = [(await find_group(request, each)) if each else None for each in chosen]

    def read(
        connection: AsyncConnection[Any], two: tuple[str, str], place: Place | None, size: int
    ) -> Awaitable[Page[prices.Compared]]:
        different = "all" not in given
        return prices.compare_groups(connection, two, at, place, size, different=different)

    file = ListFile(
        title=gettext("Compare rate groups"),
        fields=_fields(*(each.name if each else "" for each in groups)),
        rows=all_pages(site_of(request), read, chosen, prices.KEY_TYPE),
        given=given,
    )
    return await send_list(request, file)


def _fields(one: str, other: str) -> list[Field[prices.Compared]]:
    return [
        Field(gettext("Prefix"), lambda row: target_words(row.target), width=18),
        Field(gettext("Name"), lambda row: words.word(words.RATE_NAMES, row.name), width=30),
        Field(one, lambda row: micros_of(row.one), "exact"),
        Field(gettext("Seconds of the price"), lambda row: row.one_unit, "count"),
        Field(other, lambda row: micros_of(row.other), "exact"),
        Field(gettext("Seconds of the price"), lambda row: row.other_unit, "count"),
    ]

"""The pages of lists: their length, filter, rows and place in the menu."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sanic import Request
from sanic.response import HTTPResponse

from billing.queries.paging import Page
from billing.web.kit.filters import Listing, presets
from billing.web.kit.pages import page_or_part

PAGE_SIZE = 50  # rows


def list_page(
    request: Request[Any, Any],
    template: str,
    part: str,
    listing: Listing,
    found: Page[Any],
    **values: Any,
) -> HTTPResponse:
    """Return a page of a list, or only its results if htmx requests them.

    Its name in the menu is its path.
    """
    return page_or_part(
        request,
        template,
        part,
        page=request.path.strip("/"),
        path=request.path,
        given=listing.given,
        found=found,
        **values,
    )


def days_to_choose(zone: ZoneInfo) -> dict[str, Any]:
    """Return the values that a filter of days needs: today, and the usual periods."""
    today = datetime.now(UTC).astimezone(zone).date()
    return {"today": today, "presets": presets(today)}

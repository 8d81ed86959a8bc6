"""What the pages of the lists share: how long they are, their filter, their rows, their menu."""

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
    """A page of a list, or its results where htmx asks for them.

    In the menu it stands under its path.
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
    """What a filter of days needs: the day it is, and the periods people ask for most."""
    today = datetime.now(UTC).astimezone(zone).date()
    return {"today": today, "presets": presets(today)}

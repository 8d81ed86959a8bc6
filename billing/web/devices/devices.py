"""The devices: phone systems that send records, and when each last did; the page and its files."""

from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.queries import devices as reading
from billing.queries.names import company_choices
from billing.web.files.delivery import Answer
from billing.web.files.lists import Field, ListFile, all_pages, send_list
from billing.web.kit import words
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.filters import Listing, choice, read_listing
from billing.web.kit.i18n import gettext
from billing.web.kit.lists import PAGE_SIZE, list_page
from billing.web.kit.reach import reach_of
from billing.web.site import site_of

blueprint = Blueprint("devices")


def read_filter(request: Request[Any, Any]) -> tuple[reading.DeviceFilter, Listing]:
    """Return the filter of devices that a URL requests."""
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
    """Show the devices of the filter by name, with their totals."""
    wanted, listing = read_filter(request)
    async with site_of(request).pool.connection() as connection:
        found = await reading.list_devices(connection, wanted, listing.place, PAGE_SIZE)
        totals = await reading.total_devices(connection, wanted)
        companies = await company_choices(connection, wanted.reach, wanted.company_id)
    return list_page(
        request,
        "devices/devices.html",
        "devices/_device_results.html",
        listing,
        found,
        wanted=wanted,
        totals=totals,
        companies=companies,
    )


@blueprint.get("/devices/export.csv", name="devices_csv")
@blueprint.get("/devices/export.xlsx", name="devices_excel")
@admits(*EVERY_ROLE, limited=True)
async def export_devices(request: Request[Any, Any]) -> Answer:
    """Send the devices of the filter as a file."""
    wanted, listing = read_filter(request)
    file = ListFile(
        title=gettext("Devices"),
        fields=_fields(),
        rows=all_pages(site_of(request), reading.list_devices, wanted, reading.KEY_TYPE),
        given=listing.given,
    )
    return await send_list(request, file)


def _fields() -> list[Field[reading.DeviceRow]]:
    return [
        Field(gettext("Device"), lambda row: row.name, width=30),
        Field(gettext("Company"), lambda row: row.company, width=30),
        Field(gettext("Model"), lambda row: row.model, width=24),
        Field(gettext("Format"), lambda row: row.format, width=14),
        Field(gettext("State"), lambda row: words.enabled(on=row.enabled), width=14),
        Field(gettext("Time zone"), lambda row: row.time_zone, width=20),
        Field(gettext("Country"), lambda row: row.country, width=10),
        Field(gettext("Area code"), lambda row: row.area_code, width=10),
        Field(gettext("Extensions"), lambda row: row.extensions, "count", sum=True),
        Field(gettext("Last record"), lambda row: row.last_cdr_at, "time", 24),
        Field(gettext("Records today"), lambda row: row.today, "count", sum=True),
        Field(gettext("Calls"), lambda row: row.calls, "count", sum=True),
        Field(gettext("Suspended"), lambda row: row.suspended, "count", sum=True),
    ]

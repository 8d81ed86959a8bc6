"""The lists of companies and devices as files: exactly what their filter shows."""

from collections.abc import Awaitable
from typing import Any

from sanic import Blueprint, Request

from billing.queries import companies, devices
from billing.queries.paging import Page, Place
from billing.web.accounts.companies import read_filter as read_company_filter
from billing.web.devices.devices import read_filter as read_device_filter
from billing.web.files.facts import facts_of
from billing.web.files.lists import Answer, Exported, all_pages, send_list
from billing.web.files.xlsx import Column
from billing.web.kit import words
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.i18n import gettext
from billing.web.site import site_of

AT_ONCE = 2_000  # rows read at a time
blueprint = Blueprint("list_exports")


def _company_columns() -> list[Column]:
    return [
        Column(gettext("Company"), width=30),
        Column(gettext("State"), width=14),
        Column(gettext("Payment"), width=14),
        Column(gettext("Rate group"), width=24),
        Column(gettext("User accounts"), "count", sum=True),
        Column(gettext("Gateway accounts"), "count", sum=True),
        Column(gettext("Calls"), "count", sum=True),
        Column(gettext("Charged"), "amount", sum=True),
        Column(gettext("Balance"), "amount", sum=True),
        Column(gettext("Currency"), "currency", 10),
    ]


def _company_row(row: companies.CompanyRow) -> list[Any]:
    return [
        row.name,
        words.word(words.ACCOUNT_STATES, row.state),
        words.word(words.PAYMENTS, row.payment),
        row.rate_group,
        row.user_accounts,
        row.gateway_accounts,
        row.calls,
        row.charged_micros,
        row.balance_micros,
        row.currency,
    ]


def _device_columns() -> list[Column]:
    return [
        Column(gettext("Device"), width=30),
        Column(gettext("Company"), width=30),
        Column(gettext("Model"), width=24),
        Column(gettext("Format"), width=14),
        Column(gettext("State"), width=14),
        Column(gettext("Time zone"), width=20),
        Column(gettext("Country"), width=10),
        Column(gettext("Area code"), width=10),
        Column(gettext("Extensions"), "count", sum=True),
        Column(gettext("Last record"), "time", 24),
        Column(gettext("Records today"), "count", sum=True),
        Column(gettext("Calls"), "count", sum=True),
        Column(gettext("Suspended"), "count", sum=True),
    ]


def _device_row(row: devices.DeviceRow) -> list[Any]:
    return [
        row.name,
        row.company,
        row.model,
        row.format,
        words.word(words.DEVICE_STATES, "enabled" if row.enabled else "disabled"),
        row.time_zone,
        row.country,
        row.area_code,
        row.extensions,
        row.last_cdr_at,
        row.today,
        row.calls,
        row.suspended,
    ]


@blueprint.get("/companies/export.csv", name="companies_csv")
@blueprint.get("/companies/export.xlsx", name="companies_excel")
@admits(*EVERY_ROLE, limited=True, scope="accounts")
async def export_companies(request: Request[Any, Any]) -> Answer:
    """The companies of the filter."""
    wanted, listing = read_company_filter(request)

    def read(connection: Any, place: Place | None) -> Awaitable[Page[Any]]:
        return companies.list_companies(connection, wanted, place, AT_ONCE)

    exported = Exported(
        title=gettext("Companies"),
        columns=_company_columns(),
        pages=all_pages(site_of(request), read, companies.KEY_TYPE, _company_row),
        facts=await facts_of(request, listing.given),
    )
    return await send_list(request, exported)


@blueprint.get("/devices/export.csv", name="devices_csv")
@blueprint.get("/devices/export.xlsx", name="devices_excel")
@admits(*EVERY_ROLE, limited=True)
async def export_devices(request: Request[Any, Any]) -> Answer:
    """The devices of the filter."""
    wanted, listing = read_device_filter(request)

    def read(connection: Any, place: Place | None) -> Awaitable[Page[Any]]:
        return devices.list_devices(connection, wanted, place, AT_ONCE)

    exported = Exported(
        title=gettext("Devices"),
        columns=_device_columns(),
        pages=all_pages(site_of(request), read, devices.KEY_TYPE, _device_row),
        facts=await facts_of(request, listing.given),
    )
    return await send_list(request, exported)

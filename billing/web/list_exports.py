"""The lists of companies and devices as files: exactly what their filter shows."""

from collections.abc import Awaitable
from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.projections.reading import accounts, devices
from billing.projections.reading.paging import Page, Place
from billing.web import words
from billing.web.access import EVERY_ROLE, admits
from billing.web.accounts import read_filter as read_company_filter
from billing.web.devices import read_filter as read_device_filter
from billing.web.export_list import all_pages, send_list
from billing.web.export_xlsx import Column
from billing.web.i18n import gettext

AT_ONCE = 2_000  # rows read at a time
blueprint = Blueprint("list_exports")


def _company_columns() -> list[Column]:
    return [
        Column(gettext("Company"), width=30),
        Column(gettext("State"), width=14),
        Column(gettext("Payment"), width=14),
        Column(gettext("Rate group"), width=24),
        Column(gettext("User accounts"), "count"),
        Column(gettext("Gateway accounts"), "count"),
        Column(gettext("Calls"), "count"),
        Column(gettext("Charged"), "amount"),
        Column(gettext("Balance"), "amount"),
        Column(gettext("Currency"), width=10),
    ]


def _company_row(row: accounts.CompanyRow) -> list[Any]:
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
        Column(gettext("Extensions"), "count"),
        Column(gettext("Last record"), "time", 24),
        Column(gettext("Calls"), "count"),
        Column(gettext("Suspended"), "count"),
    ]


def _device_row(row: devices.DeviceRow) -> list[Any]:
    return [
        row.name,
        row.company,
        row.model,
        row.format,
        words.word(words.DEVICE_STATES, "enabled" if row.enabled else "disabled"),
        row.extensions,
        row.last_cdr_at,
        row.calls,
        row.suspended,
    ]


@blueprint.get("/companies/export.csv", name="companies_csv")
@blueprint.get("/companies/export.xlsx", name="companies_excel")
@admits(*EVERY_ROLE, limited=True)
async def export_companies(request: Request[Any, Any]) -> HTTPResponse | None:
    """The companies of the filter."""
    wanted, _ = read_company_filter(request)

    def read(connection: Any, place: Place | None) -> Awaitable[Page[Any]]:
        return accounts.list_companies(connection, wanted, place, AT_ONCE)

    pages = all_pages(request, read, accounts.KEY_TYPE)
    rows = ([_company_row(row) for row in some] async for some in pages)
    return await send_list(request, gettext("Companies"), _company_columns(), rows)


@blueprint.get("/devices/export.csv", name="devices_csv")
@blueprint.get("/devices/export.xlsx", name="devices_excel")
@admits(*EVERY_ROLE, limited=True)
async def export_devices(request: Request[Any, Any]) -> HTTPResponse | None:
    """The devices of the filter."""
    wanted, _ = read_device_filter(request)

    def read(connection: Any, place: Place | None) -> Awaitable[Page[Any]]:
        return devices.list_devices(connection, wanted, place, AT_ONCE)

    pages = all_pages(request, read, devices.KEY_TYPE)
    rows = ([_device_row(row) for row in some] async for some in pages)
    return await send_list(request, gettext("Devices"), _device_columns(), rows)

"""The lists of accounts and of money as files: exactly what their filter shows."""

from collections.abc import Awaitable
from typing import Any

from sanic import Blueprint, Request

from billing.queries import money, sub_accounts
from billing.queries.paging import Page, Place
from billing.web.accounts.movements import read_filter as read_movement_filter
from billing.web.accounts.sub_accounts import read_filter as read_sub_account_filter
from billing.web.files.facts import facts_of
from billing.web.files.lists import Answer, Exported, all_pages, send_list
from billing.web.files.xlsx import Column
from billing.web.kit import words
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.i18n import gettext
from billing.web.site import site_of

AT_ONCE = 2_000  # rows read at a time
blueprint = Blueprint("account_exports")
Row = list[Any]


def _movement_columns() -> list[Column]:
    return [
        Column(gettext("Date and time"), "time", 24),
        Column(gettext("Account"), width=28),
        Column(gettext("Kind of account"), width=18),
        Column(gettext("Company"), width=28),
        Column(gettext("Kind"), width=14),
        Column(gettext("Before"), "amount"),
        Column(gettext("Amount"), "amount", sum=True),
        Column(gettext("After"), "amount"),
        Column(gettext("Currency"), "currency", 10),
        Column(gettext("Reason"), width=36),
        Column(gettext("Reference"), width=20),
        Column(gettext("Reversed"), width=10),
        Column(gettext("By"), width=18),
        Column(gettext("Address"), width=16),
    ]


def _movement_row(row: money.MovementRow) -> Row:
    return [
        row.recorded_at,
        row.name,
        words.word(words.ACCOUNT_KINDS, row.account.partition(":")[0]),
        row.company,
        words.word(words.MOVEMENTS, row.kind),
        row.before_micros,
        row.amount_micros,
        row.after_micros,
        row.currency,
        row.reason,
        row.reference,
        gettext("yes") if row.reversed else "",
        words.actor(row.actor),
        row.address,
    ]


def _sub_account_columns(kind: str) -> list[Column]:
    lines = gettext("Extensions") if kind == "user" else gettext("Trunks and gateways")
    return [
        Column(gettext("Name"), width=30),
        Column(gettext("Company"), width=30),
        Column(lines, width=30),
        Column(gettext("State"), width=14),
        Column(gettext("Own balance"), width=14),
        Column(gettext("Balance"), "amount", sum=True),
        Column(gettext("Currency"), "currency", 10),
    ]


def _sub_account_row(row: sub_accounts.SubAccountRow) -> Row:
    return [
        row.name,
        row.company,
        row.lines,
        words.word(words.ACCOUNT_STATES, row.state),
        gettext("yes") if row.own_wallet else gettext("no"),
        row.balance_micros if row.own_wallet else None,
        row.currency,
    ]


@blueprint.get("/movements/export.csv", name="movements_csv")
@blueprint.get("/movements/export.xlsx", name="movements_excel")
@admits(*EVERY_ROLE, limited=True, scope="accounts")
async def export_movements(request: Request[Any, Any]) -> Answer:
    """The recharge record of the filter."""
    wanted, listing = read_movement_filter(request)

    def read(connection: Any, place: Place | None) -> Awaitable[Page[Any]]:
        return money.list_movements(connection, wanted, place, AT_ONCE)

    exported = Exported(
        title=gettext("Recharges"),
        columns=_movement_columns(),
        pages=all_pages(site_of(request), read, money.KEY_TYPE, _movement_row),
        facts=await facts_of(request, listing.given, wanted.period),
    )
    return await send_list(request, exported)


@blueprint.get("/user-accounts/export.csv", name="user_accounts_csv")
@blueprint.get("/user-accounts/export.xlsx", name="user_accounts_excel")
@blueprint.get("/gateway-accounts/export.csv", name="gateway_accounts_csv")
@blueprint.get("/gateway-accounts/export.xlsx", name="gateway_accounts_excel")
@admits(*EVERY_ROLE, limited=True, scope="accounts")
async def export_sub_accounts(request: Request[Any, Any]) -> Answer:
    """The accounts of the filter."""
    wanted, listing = read_sub_account_filter(request)

    def read(connection: Any, place: Place | None) -> Awaitable[Page[Any]]:
        return sub_accounts.list_sub_accounts(connection, wanted, place, AT_ONCE)

    users = wanted.kind == "user"
    exported = Exported(
        title=gettext("User accounts") if users else gettext("Gateway accounts"),
        columns=_sub_account_columns(wanted.kind),
        pages=all_pages(site_of(request), read, sub_accounts.KEY_TYPE, _sub_account_row),
        facts=await facts_of(request, listing.given),
    )
    return await send_list(request, exported)

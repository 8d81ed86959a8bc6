"""The routes of imports: user accounts, gateway accounts, recharges."""

from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.queries.names import company_choices
from billing.web.accounts.opening import kind_of, list_of
from billing.web.accounts.recharge_import import COLUMNS, plan_recharges
from billing.web.accounts.sub_account_import import (
    DEVICE,
    EXTENSIONS,
    NAME,
    OWN,
    TRUNKS,
    plan_accounts,
)
from billing.web.files.importing import Kind, ask, take
from billing.web.kit.access import ADMINISTRATORS, admits
from billing.web.kit.i18n import N_
from billing.web.kit.reach import reach_of
from billing.web.site import site_of

blueprint = Blueprint("account_imports")


async def _companies(request: Request[Any, Any]) -> dict[str, Any]:
    async with site_of(request).pool.connection() as connection:
        chosen = str(request.args.get("company", ""))
        return {"companies": await company_choices(connection, reach_of(request), chosen)}


def _kind(request: Request[Any, Any]) -> Kind:
    which = list_of(request)
    if which == "movements":
        return RECHARGES
    return ACCOUNTS[kind_of(request)]


ACCOUNTS = {
    "user": Kind(
        N_("Import user accounts"),
        N_("A row an account. Several extensions are separated by spaces."),
        (NAME, EXTENSIONS, DEVICE, OWN),
        (N_("Name"), N_("Extensions"), N_("Device"), N_("Own balance")),
        plan_accounts,
        "user-accounts",
        "/user-accounts",
        _companies,
    ),
    "gateway": Kind(
        N_("Import gateway accounts"),
        N_("A row an account. Several trunks are separated by spaces."),
        (NAME, TRUNKS, DEVICE, OWN),
        (N_("Name"), N_("Trunks and gateways"), N_("Device"), N_("Own balance")),
        plan_accounts,
        "gateway-accounts",
        "/gateway-accounts",
        _companies,
    ),
}  # fmt: skip
RECHARGES = Kind(
    N_("Recharge from a sheet"),
    N_("A row a recharge. An account is named by its name or its id."),
    COLUMNS,
    (N_("Account"), N_("Amount"), N_("Currency"), N_("Reason"), N_("Reference")),
    plan_recharges,
    "movements",
    "/movements",
)


@blueprint.get("/movements/import", name="ask_recharges")
@blueprint.get("/user-accounts/import", name="ask_user_accounts")
@blueprint.get("/gateway-accounts/import", name="ask_gateway_accounts")
@admits(*ADMINISTRATORS, limited=True)
async def ask_for_sheet(request: Request[Any, Any]) -> HTTPResponse:
    """The form that takes a sheet."""
    return await ask(request, _kind(request))


@blueprint.post("/movements/import", name="take_recharges")
@blueprint.post("/user-accounts/import", name="take_user_accounts")
@blueprint.post("/gateway-accounts/import", name="take_gateway_accounts")
@admits(*ADMINISTRATORS, limited=True)
async def take_sheet(request: Request[Any, Any]) -> HTTPResponse:
    """What the sheet would do, or what is wrong with it."""
    return await take(request, _kind(request))

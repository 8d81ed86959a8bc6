"""Open accounts: a company, or a user or gateway account of a company."""

from typing import Any
from zoneinfo import available_timezones

from babel.numbers import get_currency_name, list_currencies
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.commands.companies import OpenCompany, open_company
from billing.commands.sub_accounts import OpenSubAccount, open_sub_account
from billing.queries.names import company_choices
from billing.values import Refused, new_id
from billing.web.acting import carry_out, go_on
from billing.web.kit import words
from billing.web.kit.access import ADMINISTRATORS, admits
from billing.web.kit.forms import Form, options
from billing.web.kit.i18n import gettext, locale
from billing.web.kit.pages import page
from billing.web.kit.reach import reach_of
from billing.web.site import site_of

blueprint = Blueprint("opening")
KINDS = {"user-accounts": "user", "gateway-accounts": "gateway"}


@blueprint.get("/companies/new", name="ask_company")
@admits(*ADMINISTRATORS)
async def ask_company(request: Request[Any, Any]) -> HTTPResponse:
    """Show the form for a company."""
    zone = site_of(request).config.time_zone
    form = Form({"time_zone": zone, "payment": "prepaid", "currency": "EUR"})
    return _company_page(request, form)


@blueprint.post("/companies/new", name="open_company")
@admits(*ADMINISTRATORS)
async def do_open_company(request: Request[Any, Any]) -> HTTPResponse:
    """Open a company account, and show it."""
    form, own_id = Form.of(request), new_id()
    credit = form.optional_money("credit_limit", "")
    command = OpenCompany(
        company_id=own_id,
        name=form.text("name"),
        currency=form.choice("currency", list_currencies()),
        time_zone=form.choice("time_zone", available_timezones()),
        payment=form.choice("payment", words.PAYMENTS),
        credit_limit_micros=credit.micros if credit else 0,
    )
    if not form.errors:
        try:
            shown = await carry_out(request, open_company, command)
        except Refused as refusal:
            form.refuse(refusal)
        else:
            done = gettext("The company was opened. Next, assign a rate group.")
            return go_on(f"/accounts/company:{own_id}", done, shown=shown)
    return _company_page(request, form, 422)


def _company_page(request: Request[Any, Any], form: Form, status: int = 200) -> HTTPResponse:
    currencies = sorted(
        (code, f"{code} · {get_currency_name(code, locale=locale())}") for code in list_currencies()
    )
    return page(
        request,
        "accounts/company_new.html",
        status,
        page="companies",
        form=form,
        zones=[(name, name) for name in sorted(available_timezones())],
        currencies=currencies,
        payments=options(words.PAYMENTS, lambda code: words.word(words.PAYMENTS, code)),
    )


@blueprint.get("/user-accounts/new", name="ask_user_account")
@blueprint.get("/gateway-accounts/new", name="ask_gateway_account")
@admits(*ADMINISTRATORS, limited=True)
async def ask_sub_account(request: Request[Any, Any]) -> HTTPResponse:
    """Show the form for a user or gateway account."""
    form = Form({"company": str(request.args.get("company", ""))})
    return await _sub_account_page(request, form)


@blueprint.post("/user-accounts/new", name="open_user_account")
@blueprint.post("/gateway-accounts/new", name="open_gateway_account")
@admits(*ADMINISTRATORS, limited=True)
async def do_open_sub_account(request: Request[Any, Any]) -> HTTPResponse:
    """Open a user or gateway account, and show it."""
    form, account = Form.of(request), f"{kind_of(request)}:{new_id()}"
    command = OpenSubAccount(
        account=account,
        company_id=form.text("company"),
        name=form.text("name"),
        own_wallet=form.checked("own_wallet"),
    )
    if not form.errors:
        try:
            shown = await carry_out(request, open_sub_account, command)
        except Refused as refusal:
            form.refuse(refusal)
        else:
            return go_on(f"/accounts/{account}", gettext("The account was opened."), shown=shown)
    return await _sub_account_page(request, form, 422)


async def _sub_account_page(
    request: Request[Any, Any], form: Form, status: int = 200
) -> HTTPResponse:
    which = list_of(request)
    async with site_of(request).pool.connection() as connection:
        companies = await company_choices(
            connection, reach_of(request), form.given.get("company", "")
        )
    return page(
        request,
        "accounts/sub_account_new.html",
        status,
        page=which,
        which=which,
        kind=kind_of(request),
        form=form,
        companies=companies,
    )


def list_of(request: Request[Any, Any]) -> str:
    """Return the list that a URL belongs to: `user-accounts` or `gateway-accounts`."""
    return str(request.path).split("/")[1]


def kind_of(request: Request[Any, Any]) -> str:
    """Return the kind of account in that list."""
    return KINDS[list_of(request)]

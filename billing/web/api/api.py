"""The JSON API for a company's portal and other programs: calls, accounts, movements, recharges.

docs/api.md describes it for other programmers; it stays compatible.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, json

from billing.aggregates.event import Envelope
from billing.commands.accounts import Receipt, RechargeAccount, ReferenceUsed, recharge_once
from billing.log.store import Store
from billing.queries import accounts, calls, money
from billing.queries.paging import Page
from billing.values import Money, Refused, decimal_string, parse_micros
from billing.web.accounts.account import view_of
from billing.web.accounts.movements import read_filter as read_movement_filter
from billing.web.acting import carry_out
from billing.web.calls.columns import CALL_COLUMNS
from billing.web.calls.filters import read_call_filter
from billing.web.files.xlsx import Kind
from billing.web.kit import words
from billing.web.kit.access import ADMINISTRATORS, EVERY_ROLE, admits
from billing.web.kit.errors import problem
from billing.web.kit.filters import choice, read_listing
from billing.web.kit.forms import LONGEST
from billing.web.kit.i18n import gettext
from billing.web.kit.reach import reach_of
from billing.web.site import site_of

MOST, USUAL = 1_000, 100  # rows in a response
PLAIN: dict[Kind, Callable[[Any], str]] = {"time": datetime.isoformat, "exact": decimal_string}
blueprint = Blueprint("api", url_prefix="/api/v1")


class Recharge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a recharge request."""

    amount: str  # a plain decimal: "25.00"
    currency: str
    reference: str  # requests with the same reference make one recharge
    reason: str = ""


@blueprint.get("/calls")
@admits(*EVERY_ROLE, limited=True, scope="calls")
async def list_calls(request: Request[Any, Any]) -> HTTPResponse:
    """Send the calls of a filter, newest first; it has the same parameters as the call list."""
    site = site_of(request)
    wanted, listing = read_call_filter(request, site.zone)
    async with site.pool.connection() as connection:
        found = await calls.list_calls(connection, wanted, listing.place, _limit(request))
    return _page("calls", found, [_call(row) for row in found.rows])


@blueprint.get("/accounts")
@admits(*EVERY_ROLE, limited=True, scope="accounts")
async def list_accounts(request: Request[Any, Any]) -> HTTPResponse:
    """Send the accounts of all three kinds with their balances."""
    listing = read_listing(request, ("kind", "company", "state", "q"), accounts.KEY_TYPE)
    wanted = accounts.AccountsFilter(
        reach=reach_of(request),
        kind=choice(listing.given, "kind", words.ACCOUNT_KINDS),
        company_id=listing.given.get("company", ""),
        state=choice(listing.given, "state", words.ACCOUNT_STATES),
        text=listing.given.get("q", ""),
    )
    async with site_of(request).pool.connection() as connection:
        found = await accounts.list_accounts(connection, wanted, listing.place, _limit(request))
    return _page("accounts", found, [_account(row) for row in found.rows])


@blueprint.get("/accounts/<account:str>", unquote=True)
@admits(*EVERY_ROLE, limited=True, scope="accounts")
async def show_account(request: Request[Any, Any], account: str) -> HTTPResponse:
    """Send one account with its balance, limits and state."""
    view = await view_of(request, account)
    return json(
        _account(view)
        | {
            "payment": view.payment,
            "credit_limit": _optional(view.credit_limit_micros),
            "low_balance": _optional(view.low_balance_micros),
            "rate_group": view.rate_group,
            "time_zone": view.time_zone,
        }
    )


@blueprint.get("/movements")
@admits(*EVERY_ROLE, limited=True, scope="accounts")
async def list_movements(request: Request[Any, Any]) -> HTTPResponse:
    """Send the movements of a filter, newest first; it has the same parameters as the page."""
    wanted, listing = read_movement_filter(request)
    async with site_of(request).pool.connection() as connection:
        found = await money.list_movements(connection, wanted, listing.place, _limit(request))
    return _page("movements", found, [_movement(row) for row in found.rows])


@blueprint.post("/accounts/<account:str>/recharges", unquote=True)
@admits(*ADMINISTRATORS, limited=True, scope="recharge")
async def recharge(request: Request[Any, Any], account: str) -> HTTPResponse:
    """Recharge an account: 201, or 200 if the reference exists with the same amount."""
    view = await view_of(request, account)
    try:
        sent = msgspec.json.decode(request.body, type=Recharge)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        said = gettext("A recharge is a JSON object of texts; docs/api.md describes its fields.")
        return problem(400, gettext("This is not a recharge"), said, error=str(error))
    try:
        receipt, shown = await _recharge(request, account, sent)
    except Refused as refusal:
        said = gettext(refusal.message, **refusal.values)
        status = 409 if isinstance(refusal, ReferenceUsed) else 422
        return problem(status, gettext("This was not done"), said)
    balance = (await view_of(request, account)).balance_micros if shown else None
    told = {
        "account": account,
        "recharge": receipt.version,
        "reference": sent.reference,
        "amount": sent.amount,
        "currency": view.currency,
        "made": receipt.made,
        "balance": _optional(balance),
    }
    return json(told, 201 if receipt.made else 200)


async def _recharge(
    request: Request[Any, Any], account: str, sent: Recharge
) -> tuple[Receipt, bool]:
    texts = (sent.reference.strip(), sent.reason.strip())
    if max(map(len, texts)) > LONGEST or "\x00" in "".join(texts):
        raise Refused("Reference and reason are texts of at most %(n)s characters.", n=LONGEST)
    command = RechargeAccount(
        account=account,
        amount=Money(parse_micros(sent.amount), sent.currency),
        reason=texts[1],
        reference=texts[0],
    )
    receipts = list[Receipt]()

    def handle(store: Store, command: RechargeAccount, envelope: Envelope) -> int:
        receipts.append(recharge_once(store, command, envelope))
        return receipts[0].position

    shown = await carry_out(request, handle, command)
    return receipts[0], shown


def _limit(request: Request[Any, Any]) -> int:
    text = str(request.args.get("limit", "") or USUAL)
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST):
        raise Refused("The filter %(name)s can't be %(value)s.", name="limit", value=text[:99])
    return int(text)


def _page(name: str, found: Page[Any], rows: list[dict[str, Any]]) -> HTTPResponse:
    """Return rows, and the `after` of the next page; null on the last page."""
    return json({name: rows, "after": found.after or None})


def _optional(micros: int | None) -> str | None:
    return None if micros is None else decimal_string(micros)


def _call(row: calls.CallRow) -> dict[str, Any]:
    """Return a call: codes unchanged, times in UTC, amounts as plain decimals."""
    told: dict[str, Any] = {"company_id": row.company_id}
    for column in CALL_COLUMNS:
        if column.api:
            value = getattr(row, column.field)
            told[column.api] = PLAIN[column.kind](value) if column.kind in PLAIN else value
    return told


def _account(row: accounts.AccountRow | money.AccountView) -> dict[str, Any]:
    """Return an account; the balance is null if the company pays for a sub-account."""
    return {
        "account": row.account,
        "kind": row.kind,
        "company_id": row.company_id,
        "name": row.name,
        "currency": row.currency,
        "state": row.state,
        "balance": decimal_string(row.balance_micros) if row.own_wallet else None,
    }


def _movement(row: money.MovementRow) -> dict[str, Any]:
    return {
        "position": row.position,
        "recorded_at": row.recorded_at.isoformat(),
        "account": row.account,
        "kind": row.kind,
        "amount": decimal_string(row.amount_micros),
        "currency": row.currency,
        "before": decimal_string(row.before_micros),
        "after": decimal_string(row.after_micros),
        "reason": row.reason,
        "reference": row.reference,
        "reversed": row.reversed,
    }

"""What an administrator does to an account: for each action a form, a command and a notice."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import available_timezones

import msgspec
from sanic import Blueprint, Request
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse

from billing.aggregates.account import Limits
from billing.aggregates.event import Envelope
from billing.commands import accounts, companies, sub_accounts
from billing.commands.deciding import Overtaken
from billing.log.store import Recorded, Store
from billing.queries.money import AccountView
from billing.queries.names import devices_of, rate_groups_in, stream_names
from billing.values import Money, Refused, decimal_string, to_minor_unit
from billing.web.accounts.account import PAGE_OF, view_of
from billing.web.acting import carry_out, go_on
from billing.web.kit import formats, words
from billing.web.kit.access import ADMINISTRATORS, admits
from billing.web.kit.forms import Form, options
from billing.web.kit.i18n import N_, gettext
from billing.web.kit.pages import page
from billing.web.kit.reach import reach_of
from billing.web.kit.telling import mentioned
from billing.web.site import site_of

SETTLEMENTS = ("now", "later")  # what becomes of the money of an account that is closed
blueprint = Blueprint("account_actions")


class ActionRequest(msgspec.Struct, frozen=True):
    """The form of an action as it was sent, and the account it is about."""

    request: Request[Any, Any]
    view: AccountView
    form: Form

    def reason(self, *, required: bool = True) -> str:
        """The reason given in the form."""
        return self.form.text("reason", required=required)

    def seen(self) -> int:
        """The version of the account that the form showed."""
        return self.form.whole("seen")


class Action(msgspec.Struct, frozen=True):
    title: str
    button: str
    done: str
    handler: Callable[[Store, Any, Envelope], int]
    command: Callable[[ActionRequest], Any]
    given: Callable[[AccountView], dict[str, str]] = lambda _view: {}
    choices: Callable[[ActionRequest], Awaitable[dict[str, Any]]] | None = None
    kinds: tuple[str, ...] = ("company", "user", "gateway")
    danger: bool = False


def _recharge(sent: ActionRequest) -> accounts.RechargeAccount:
    return accounts.RechargeAccount(
        account=sent.view.account,
        amount=sent.form.money("amount", sent.view.currency),
        reason=sent.reason(required=False),
        reference=sent.form.text("reference", required=False),
    )


def _adjust(sent: ActionRequest) -> accounts.AdjustAccount:
    return accounts.AdjustAccount(
        account=sent.view.account,
        amount=sent.form.money("amount", sent.view.currency),
        reason=sent.reason(),
        reference=sent.form.text("reference", required=False),
    )


def _reverse(sent: ActionRequest) -> accounts.ReverseRecharge:
    return accounts.ReverseRecharge(
        account=sent.view.account, version=sent.form.whole("version"), reason=sent.reason()
    )


def _limits(sent: ActionRequest) -> accounts.SetLimits:
    form, currency = sent.form, sent.view.currency
    credit = form.optional_money("credit_limit", currency)
    low = form.optional_money("low_balance", currency)
    limits = Limits(
        credit_limit_micros=credit.micros if credit else None,
        low_balance_micros=low.micros if low else None,
        freeze_at_limit=form.checked("freeze_at_limit"),
        warn_email=form.text("warn_email", required=False),
    )
    return accounts.SetLimits(account=sent.view.account, limits=limits, seen=sent.seen())


def _limits_given(view: AccountView) -> dict[str, str]:
    given = {"warn_email": view.warn_email}
    if view.credit_limit_micros is not None:
        given["credit_limit"] = _written(view.credit_limit_micros)
    if view.low_balance_micros is not None:
        given["low_balance"] = _written(view.low_balance_micros)
    if view.freeze_at_limit:
        given["freeze_at_limit"] = "yes"
    return given


def _written(micros: int) -> str:
    """Format an amount with at least two decimals, so that it can't be read as thousands."""
    whole, _, part = decimal_string(micros).partition(".")
    return f"{whole}.{part.ljust(2, '0')}" if len(part) != 3 else f"{whole}.{part}0"  # noqa: PLR2004 -- three decimals look like a group of thousands


def _edit(sent: ActionRequest) -> companies.ChangeCompany | sub_accounts.RenameSubAccount:
    form, view = sent.form, sent.view
    if view.kind != "company":
        return sub_accounts.RenameSubAccount(
            account=view.account, name=form.text("name"), seen=sent.seen()
        )
    return companies.ChangeCompany(
        company_id=view.own_id,
        name=form.text("name"),
        time_zone=form.choice("time_zone", available_timezones()),
        payment=form.choice("payment", words.PAYMENTS),
        seen=sent.seen(),
    )


def _change(store: Store, command: Any, envelope: Envelope) -> int:
    if isinstance(command, companies.ChangeCompany):
        return companies.change_company(store, command, envelope)
    return sub_accounts.rename(store, command, envelope)


async def _zones(_asked: ActionRequest) -> dict[str, Any]:
    return {
        "zones": [(name, name) for name in sorted(available_timezones())],
        "payments": options(words.PAYMENTS, lambda code: words.word(words.PAYMENTS, code)),
    }


def _bind(sent: ActionRequest) -> companies.BindRateGroup:
    zone = site_of(sent.request).zone
    return companies.BindRateGroup(
        company_id=sent.view.own_id,
        group_id=sent.form.text("group"),
        valid_from=sent.form.begin_of_day("valid_from", zone),
    )


async def _groups(sent: ActionRequest) -> dict[str, Any]:
    reach = reach_of(sent.request)
    async with site_of(sent.request).pool.connection() as connection:
        return {"groups": await rate_groups_in(connection, reach, sent.view.currency)}


def _lines(sent: ActionRequest) -> sub_accounts.GiveLines:
    form = sent.form
    numbers = form.text("lines", longest=2000).replace(",", " ").replace(";", " ").split()
    device, tenant = form.text("device"), form.text("tenant", required=False)
    valid_from = form.begin_of_day("valid_from", site_of(sent.request).zone)
    lines = tuple(
        sub_accounts.LineGiven(
            device_id=device, number=number, tenant=tenant, valid_from=valid_from
        )
        for number in dict.fromkeys(numbers)
    )
    return sub_accounts.GiveLines(account=sent.view.account, lines=lines)


def _pin(sent: ActionRequest) -> sub_accounts.GivePin:
    return sub_accounts.GivePin(
        account=sent.view.account,
        pin=sent.form.text("pin"),
        valid_from=sent.form.begin_of_day("valid_from", site_of(sent.request).zone),
    )


async def _devices(sent: ActionRequest) -> dict[str, Any]:
    async with site_of(sent.request).pool.connection() as connection:
        return {"devices": await devices_of(connection, sent.view.company_id)}


def _close(asked: ActionRequest) -> accounts.CloseAccount:
    form, view = asked.form, asked.view
    settlement = None
    if balance := _payable(view):
        if form.choice("settlement", SETTLEMENTS) == "now":
            settlement = Money(-balance, view.currency)
        if form.given.get("balance") != str(view.balance_micros) and not form.errors:
            shown = formats.money(balance, view.currency)
            form.errors["settlement"] = gettext("The balance is now %(amount)s.", amount=shown)
    return accounts.CloseAccount(account=view.account, reason=asked.reason(), settlement=settlement)


def _payable(view: AccountView) -> int:
    """The balance of a wallet as it can be paid, in micro-units; 0 for an account without one."""
    return to_minor_unit(view.balance_micros, view.currency) if view.own_wallet else 0


async def _settlements(asked: ActionRequest) -> dict[str, Any]:
    balance, currency = _payable(asked.view), asked.view.currency
    if not balance:
        return {"settlements": []}
    amount = formats.money(abs(balance), currency)
    if balance > 0:
        now = gettext("%(amount)s is given back: the balance becomes zero", amount=amount)
    else:
        now = gettext("%(amount)s is written off: the balance becomes zero", amount=amount)
    return {"settlements": [("now", now), ("later", gettext("It stays, to be settled later"))]}


def _freeze(sent: ActionRequest) -> accounts.FreezeAccount:
    return accounts.FreezeAccount(account=sent.view.account, reason=sent.reason())


def _unfreeze(sent: ActionRequest) -> accounts.UnfreezeAccount:
    return accounts.UnfreezeAccount(account=sent.view.account, reason=sent.reason(required=False))


ACTIONS = {
    "recharge": Action(
        N_("Recharge the account"), N_("Recharge the account"), N_("The account was recharged."),
        accounts.recharge, _recharge,
    ),
    "adjust": Action(
        N_("Adjust the balance"), N_("Adjust the balance"), N_("The balance was adjusted."),
        accounts.adjust, _adjust,
    ),
    "reverse": Action(
        N_("Reverse a recharge"), N_("Reverse the recharge"), N_("The recharge was reversed."),
        accounts.reverse_recharge, _reverse, danger=True,
    ),
    "freeze": Action(
        N_("Freeze the account"), N_("Freeze"), N_("The account is frozen."),
        accounts.freeze, _freeze, danger=True,
    ),
    "unfreeze": Action(
        N_("Unfreeze the account"), N_("Unfreeze"), N_("The account is open again."),
        accounts.unfreeze, _unfreeze,
    ),
    "close": Action(
        N_("Close the account"), N_("Close for good"), N_("The account is closed."),
        accounts.close, _close, choices=_settlements, danger=True,
    ),
    "limits": Action(
        N_("Limits and warnings"), N_("Save"), N_("The limits were set."),
        accounts.set_limits, _limits, _limits_given,
    ),
    "edit": Action(
        N_("Edit the account"), N_("Save"), N_("The account was changed."), _change, _edit,
        lambda view: {"name": view.name, "time_zone": view.time_zone, "payment": view.payment},
        _zones,
    ),
    "bind": Action(
        N_("Assign a rate group"), N_("Assign"), N_("The rate group was assigned."),
        companies.bind_rate_group, _bind, choices=_groups, kinds=("company",),
    ),
    "pin": Action(
        N_("Add a PIN"), N_("Assign"), N_("Calls with this PIN now belong to this account."),
        sub_accounts.give_pin, _pin, kinds=("user",),
    ),
    "withdraw-pins": Action(
        N_("Remove the PINs"), N_("Remove"), N_("The account now has no PINs."),
        sub_accounts.withdraw_pins,
        lambda sent: sub_accounts.WithdrawPins(account=sent.view.account), kinds=("user",),
        danger=True,
    ),
    "lines": Action(
        N_("Assign extensions or trunks"), N_("Assign"), N_("They now belong to this account."),
        sub_accounts.give_lines, _lines, choices=_devices, kinds=("user", "gateway"),
    ),
}  # fmt: skip


def _find(name: str, view: AccountView) -> Action:
    action = ACTIONS.get(name)
    if action is None or view.kind not in action.kinds:
        raise NotFound
    return action


@blueprint.get("/accounts/<account:str>/<name:str>", name="ask", unquote=True)
@admits(*ADMINISTRATORS, limited=True)
async def ask(request: Request[Any, Any], account: str, name: str) -> HTTPResponse:
    """Show the form of an action."""
    view = await view_of(request, account)
    action = _find(name, view)
    given = {**action.given(view), "seen": str(view.version)}
    if name == "reverse":
        given["version"] = str(request.args.get("version", ""))
    return await _show(ActionRequest(request, view, Form(given)), name, action)


@blueprint.post("/accounts/<account:str>/<name:str>", name="do", unquote=True)
@admits(*ADMINISTRATORS, limited=True)
async def do(request: Request[Any, Any], account: str, name: str) -> HTTPResponse:
    """Carry an action out; if that is refused, show the form with the error."""
    view = await view_of(request, account)
    action = _find(name, view)
    sent = ActionRequest(request, view, Form.of(request))
    command = action.command(sent)
    if sent.form.errors:
        return await _show(sent, name, action, 422)
    try:
        shown = await carry_out(request, action.handler, command)
    except Overtaken as overtaken:
        sent.form.refuse(overtaken)
        sent.form.given["seen"] = str(overtaken.since[-1].version)
        return await _show(sent, name, action, 409, overtaken.since)
    except Refused as refusal:
        sent.form.refuse(refusal)
        return await _show(sent, name, action, 422)
    return go_on(f"/accounts/{account}", gettext(action.done), shown=shown)


async def _show(
    sent: ActionRequest,
    name: str,
    action: Action,
    status: int = 200,
    since: Any = (),
) -> HTTPResponse:
    request, view = sent.request, sent.view
    choices = await action.choices(sent) if action.choices else {}
    async with site_of(request).pool.connection() as connection:
        names = await stream_names(connection, mentioned(since))
    today = datetime.now(UTC).astimezone(site_of(request).zone).date()
    return page(
        request,
        "accounts/account_action.html",
        status,
        page=PAGE_OF[view.kind],
        name=name,
        action=action,
        view=view,
        form=sent.form,
        since=list[Recorded](since),
        names=names,
        today=today,
        **choices,
    )

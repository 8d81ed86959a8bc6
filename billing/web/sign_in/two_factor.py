"""The own two-factor: set up with an app, renew the recovery codes, switch off."""

from collections.abc import Callable
from typing import Any

import segno
from markupsafe import Markup
from sanic import Blueprint, Request
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse, redirect

from billing.commands import second_factors as commands
from billing.credentials.one_time_codes import enrolment_url
from billing.queries import administrators as reading
from billing.queries.sessions import Session, password_of
from billing.values import Refused
from billing.web.acting import go_on, with_secrets
from billing.web.kit.access import EVERY_ROLE, admits, form_value
from billing.web.kit.forms import WHOLE, Form
from billing.web.kit.i18n import N_, gettext
from billing.web.kit.pages import page
from billing.web.kit.throttle import BY_ACCOUNT, BY_CODE, too_many
from billing.web.sign_in.my_account import myself
from billing.web.site import site_of

PLACE = "/my-account/two-factor"
GROUP = 4  # letters of the secret in a group
# Actions that need password and code again: title, explanation, button.
PROVEN = {
    "off": (
        N_("Switch two-factor off"),
        N_("Signing in will ask for the password only. The recovery codes stop working."),
        N_("Switch two-factor off"),
    ),
    "codes": (
        N_("New recovery codes"),
        N_("They replace your current ones, which stop working."),
        N_("Generate new codes"),
    ),
}
blueprint = Blueprint("two_factor")


@blueprint.get(PLACE, name="show_two_factor")
@admits(*EVERY_ROLE, limited=True, before_enrolment=True)
async def show_two_factor(request: Request[Any, Any]) -> HTTPResponse:
    """Show what it is and a button to begin; then the code to scan."""
    return await _set_up_page(request, Form({}))


@blueprint.post(f"{PLACE}/begin", name="begin_two_factor")
@admits(*EVERY_ROLE, limited=True, before_enrolment=True)
async def begin_two_factor(request: Request[Any, Any]) -> HTTPResponse:
    """Create a secret to scan."""
    session = await myself(request)

    def begin(_store: Any, connection: Any, own_id: str, _envelope: Any) -> None:
        commands.begin(connection, own_id)

    await with_secrets(request, begin, session.administrator_id)
    return redirect(PLACE, status=303)


@blueprint.post(PLACE, name="confirm_two_factor")
@admits(*EVERY_ROLE, limited=True, before_enrolment=True)
async def confirm_two_factor(request: Request[Any, Any]) -> HTTPResponse:
    """Switch it on if the app's code is right, and show the recovery codes once."""
    session, form = await myself(request), Form.of(request)
    own_id = session.administrator_id
    if wait := await _wait(request, session):
        form.errors["code"] = too_many(wait)
        return await _set_up_page(request, form, 429)
    command = commands.Confirm(administrator_id=own_id, code=form.text("code"))
    try:
        codes = await with_secrets(request, commands.confirm, command)
    except commands.WrongCode as wrong:
        form.refuse(wrong, "code")
        return await _set_up_page(request, form, 422)
    await _forget(request, session)
    return page(
        request, "sign_in/two_factor_codes.html", page="my-account", codes=codes, first=True
    )


@blueprint.get(f"{PLACE}/<action:str>", name="ask_proof")
@admits(*EVERY_ROLE, limited=True)
async def ask_proof(request: Request[Any, Any], action: str) -> HTTPResponse:
    """Show the form for password and code."""
    return _proof_page(request, action, Form({}))


@blueprint.post(f"{PLACE}/<action:str>", name="do_proven")
@admits(*EVERY_ROLE, limited=True)
async def do_proven(request: Request[Any, Any], action: str) -> HTTPResponse:
    """Switch it off, or make new recovery codes; needs the password and a code."""
    session, form = await myself(request), Form.of(request)
    if wait := await _wait(request, session):
        form.errors[WHOLE] = too_many(wait)
        return _proof_page(request, action, form, 429)
    site = site_of(request)
    async with site.pool.connection() as connection:
        known = await password_of(connection, session.administrator_id)
    if not await site.passwords.verify(known, form_value(request, "password")):
        form.errors["password"] = gettext("This is not your current password.")
        return _proof_page(request, action, form, 422)
    command = commands.Proven(administrator_id=session.administrator_id, code=form.text("code"))
    handler: Callable[..., Any] = commands.disable if action == "off" else commands.renew_codes
    try:
        made = await with_secrets(request, handler, command)
    except Refused as refusal:
        form.refuse(refusal, "code" if isinstance(refusal, commands.WrongCode) else WHOLE)
        return _proof_page(request, action, form, 422)
    await _forget(request, session)
    if action == "off":
        return go_on("/my-account", gettext("Two-factor is off."))
    return page(
        request, "sign_in/two_factor_codes.html", page="my-account", codes=made, first=False
    )


async def _wait(request: Request[Any, Any], session: Session) -> int:
    """Return the seconds to wait: guessing here is limited together with guessing at sign-in."""
    async with site_of(request).pool.connection() as connection:
        return max(
            await BY_ACCOUNT.wait_seconds(connection, session.sign_in_name),
            await BY_CODE.wait_seconds(connection, session.administrator_id),
        )


async def _forget(request: Request[Any, Any], session: Session) -> None:
    async with site_of(request).pool.connection() as connection:
        await BY_ACCOUNT.forget(connection, session.sign_in_name)
        await BY_CODE.forget(connection, session.administrator_id)


async def _set_up_page(request: Request[Any, Any], form: Form, status: int = 200) -> HTTPResponse:
    session = await myself(request)
    own_id, name = session.administrator_id, session.sign_in_name
    async with site_of(request).pool.connection() as connection:
        factor = await reading.second_factor_of(connection, own_id)
        secret = await reading.pending_secret(connection, own_id)
    if factor.confirmed_at:
        return redirect("/my-account")
    return page(
        request,
        "sign_in/two_factor.html",
        status,
        page="my-account",
        form=form,
        secret=" ".join(secret[at : at + GROUP] for at in range(0, len(secret), GROUP)),
        picture=_picture(enrolment_url(secret, name)) if secret else "",
    )


def _picture(text: str) -> Markup:
    """Return a QR code as inline SVG, black on white in every theme because phones need that."""
    code = segno.make(text, error="m", micro=False)
    return Markup(code.svg_inline(scale=4, border=3, dark="#000", light="#fff"))  # noqa: S704 -- shapes only


def _proof_page(
    request: Request[Any, Any], action: str, form: Form, status: int = 200
) -> HTTPResponse:
    if action not in PROVEN:
        raise NotFound
    title, explanation, button = PROVEN[action]
    return page(
        request,
        "sign_in/two_factor_proof.html",
        status,
        page="my-account",
        form=form,
        action=f"{PLACE}/{action}",
        danger=action == "off",
        title=gettext(title),
        explanation=gettext(explanation),
        button=gettext(button),
    )

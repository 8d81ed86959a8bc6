"""Change the own password; a new administrator must do so before anything else."""

from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse, redirect

from billing.commands import administrators as commands
from billing.credentials.strength import refuse_weak
from billing.queries.sessions import Session, password_of
from billing.values import Refused
from billing.web.acting import go_on, with_secrets
from billing.web.kit.access import EVERY_ROLE, admits, current_session, form_value
from billing.web.kit.i18n import gettext
from billing.web.kit.pages import page
from billing.web.kit.throttle import BY_ACCOUNT, too_many
from billing.web.site import site_of

blueprint = Blueprint("own_password")


@blueprint.get("/password", name="show_password")
@admits(*EVERY_ROLE, limited=True, before_change=True)
async def show_password(request: Request[Any, Any]) -> HTTPResponse:
    """Show the form."""
    return page(request, "sign_in/password.html", errors={})


@blueprint.post("/password", name="change_password")
@admits(*EVERY_ROLE, limited=True, before_change=True)
async def change_password(request: Request[Any, Any]) -> HTTPResponse:
    """Change the password, and end every other session of this administrator."""
    site, session = site_of(request), await current_session(request)
    if session is None:
        return redirect("/sign-in", status=303)
    # Guessing the current password here is limited together with guessing at sign-in.
    async with site.pool.connection() as connection:
        wait = await BY_ACCOUNT.wait_seconds(connection, session.sign_in_name)
    if wait:
        return page(request, "sign_in/password.html", 429, errors={"current": too_many(wait)})
    errors = await _problems(request, session)
    if errors:
        return page(request, "sign_in/password.html", 422, errors=errors)
    command = commands.ChangePassword(
        administrator_id=session.administrator_id,
        password_hash=await site.passwords.hash(form_value(request, "new")),
        kept_session=session.token_hash,
    )
    await with_secrets(request, commands.change_password, command)
    async with site.pool.connection() as connection:
        await BY_ACCOUNT.forget(connection, session.sign_in_name)
    return go_on("/", gettext("The password was changed. Your other sessions were ended."))


async def _problems(request: Request[Any, Any], session: Session) -> dict[str, str]:
    """Return the errors, by field."""
    site, errors = site_of(request), {}
    current, new = form_value(request, "current"), form_value(request, "new")
    async with site.pool.connection() as connection:
        password_hash = await password_of(connection, session.administrator_id)
    if not await site.passwords.verify(password_hash, current):
        errors["current"] = gettext("This is not your current password.")
    if problem := _problem(current, new, session):
        errors["new"] = problem
    elif new != form_value(request, "again"):
        errors["again"] = gettext("The two new passwords differ.")
    return errors


def _problem(current: str, new: str, session: Session) -> str:
    if new == current:
        return gettext("The new password is the same as the old one.")
    try:
        refuse_weak(new, session.name, session.sign_in_name)
    except Refused as refusal:
        return gettext(refusal.message, **refusal.values)
    return ""

"""Signing in and out, and the password's change."""

import time
from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse, redirect

from billing.web import sessions
from billing.web.access import (
    ANYONE,
    EVERY_ROLE,
    admits,
    cookie_name,
    current_session,
    form_value,
    local_path,
)
from billing.web.i18n import gettext, ngettext
from billing.web.pages import page
from billing.web.sign_in_log import note, note_expired
from billing.web.site import site_of

SHORTEST = 12
blueprint = Blueprint("signin")


@blueprint.get("/sign-in", name="show")
@admits(ANYONE)
async def show_sign_in(request: Request[Any, Any]) -> HTTPResponse:
    """The form; who is signed in already goes on."""
    after = local_path(request.args.get("next"))
    if await current_session(request):
        return redirect(after)
    return page(request, "signin.html", next=after, name="", error="")


@blueprint.post("/sign-in", name="do")
@admits(ANYONE)
async def sign_in(request: Request[Any, Any]) -> HTTPResponse:
    """Open a session, or say why not: in the same words and time for every wrong pair."""
    site, now = site_of(request), time.monotonic()
    name = form_value(request, "name").strip().lower()[: sessions.LONGEST_BROWSER]
    after = local_path(form_value(request, "next"))
    wait = max(
        site.by_address.wait_seconds(request.ip, now), site.by_account.wait_seconds(name, now)
    )
    if wait:
        async with site.pool.connection() as connection:
            await note(connection, request, "refused", name, reason="throttled")
        response = page(request, "signin.html", 429, next=after, name=name, error=_too_many(wait))
        response.headers["retry-after"] = str(wait)
        return response
    async with site.pool.connection() as connection:
        found = await sessions.find_credentials(connection, name)
    fits = await site.passwords.verify(found and found[1], form_value(request, "password"))
    if not (found and fits):
        known, reason = (found[0], "password") if found else ("", "name")
        async with site.pool.connection() as connection:
            await note(connection, request, "refused", name, administrator_id=known, reason=reason)
        error = gettext("The name or the password is wrong.")
        return page(request, "signin.html", 422, next=after, name=name, error=error)
    site.by_account.forget(name)
    browser = request.headers.get("user-agent", "")
    async with site.pool.connection() as connection:
        await note_expired(connection)
        token = await sessions.begin_session(connection, found[0], request.ip, browser)
        await note(connection, request, "signed_in", name, administrator_id=found[0])
    response = redirect(after, status=303)
    _set_session_cookie(request, response, token)
    return response


def _set_session_cookie(request: Request[Any, Any], response: HTTPResponse, token: str) -> None:
    """Keep the token in the browser until it closes; an empty one takes it away."""
    response.add_cookie(
        cookie_name(request),
        token,
        httponly=True,
        secure=site_of(request).config.cookie_secure,
        samesite="Lax",
        path="/",
        max_age=None if token else 0,
    )


def _too_many(wait_seconds: int) -> str:
    if wait_seconds < 60:  # noqa: PLR2004 -- a minute
        text = ngettext(
            "Too many attempts. Try again in %(n)s second.",
            "Too many attempts. Try again in %(n)s seconds.",
            wait_seconds,
        )
        return text % {"n": wait_seconds}
    minutes = -(-wait_seconds // 60)
    text = ngettext(
        "Too many attempts. Try again in %(n)s minute.",
        "Too many attempts. Try again in %(n)s minutes.",
        minutes,
    )
    return text % {"n": minutes}


@blueprint.post("/sign-out")
@admits(*EVERY_ROLE, limited=True, before_change=True)
async def sign_out(request: Request[Any, Any]) -> HTTPResponse:
    """End the session, here and in the table."""
    session = await current_session(request)
    if session:
        async with site_of(request).pool.connection() as connection:
            await sessions.end_session(connection, session)
            name, own_id = session.sign_in_name, session.administrator_id
            await note(connection, request, "signed_out", name, administrator_id=own_id)
    response = redirect("/sign-in", status=303)
    _set_session_cookie(request, response, "")
    return response


@blueprint.get("/password", name="show_password")
@admits(*EVERY_ROLE, limited=True, before_change=True)
async def show_password(request: Request[Any, Any]) -> HTTPResponse:
    """The form to change one's own password; at the first sign-in nothing else is shown."""
    return page(request, "password.html", errors={})


@blueprint.post("/password", name="change_password")
@admits(*EVERY_ROLE, limited=True, before_change=True)
async def change_password(request: Request[Any, Any]) -> HTTPResponse:
    """Change it. Every other session of this administrator ends."""
    site, session = site_of(request), await current_session(request)
    if session is None:
        return redirect("/sign-in", status=303)
    # Guessing the current one is as good as guessing at the door: the same bucket counts it.
    wait = site.by_account.wait_seconds(session.administrator_id, time.monotonic())
    if wait:
        return page(request, "password.html", 429, errors={"current": _too_many(wait)})
    current, new = form_value(request, "current"), form_value(request, "new")
    async with site.pool.connection() as connection:
        password_hash = await sessions.password_of(connection, session.administrator_id)
    errors = {}
    if not await site.passwords.verify(password_hash, current):
        errors["current"] = gettext("This is not your current password.")
    if problem := _problem(current, new):
        errors["new"] = problem
    elif new != form_value(request, "again"):
        errors["again"] = gettext("The two new passwords differ.")
    if errors:
        return page(request, "password.html", 422, errors=errors)
    new_hash = await site.passwords.hash(new)
    async with site.pool.connection() as connection:
        await sessions.change_password(connection, session, new_hash)
    site.by_account.forget(session.administrator_id)
    return redirect("/", status=303)


def _problem(current: str, new: str) -> str:
    if len(new) < SHORTEST:
        return gettext("Use at least %(n)s characters.", n=SHORTEST)
    if new == current:
        return gettext("The new password is the old one.")
    return ""

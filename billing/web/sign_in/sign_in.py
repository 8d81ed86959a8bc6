"""Sign in and out: name and password, then a code if two-factor is on."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from psycopg import AsyncConnection
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, redirect

from billing.commands import second_factors, sessions
from billing.commands.attempts import Throttle, forget_old
from billing.doors.addresses import ip_address_of, network_of
from billing.queries.sessions import HalfSession, find_credentials
from billing.web.acting import envelope_in_name_of, go_on, with_secrets
from billing.web.kit.access import (
    ANYONE,
    EVERY_ROLE,
    admits,
    cookie_name,
    current_session,
    form_value,
    local_path,
)
from billing.web.kit.i18n import gettext
from billing.web.kit.pages import page
from billing.web.kit.sign_in_log import note
from billing.web.kit.throttle import (
    BY_ACCOUNT,
    BY_ADDRESS,
    BY_CODE,
    NOTED,
    too_many,
)
from billing.web.sign_in.half_sessions import (
    find_half_session,
    half_cookie,
    set_cookie,
)
from billing.web.site import site_of

LONGEST_NAME = 100
LONGEST_CODE = 100
blueprint = Blueprint("signin")


@blueprint.get("/sign-in", name="show")
@admits(ANYONE)
async def show_sign_in(request: Request[Any, Any]) -> HTTPResponse:
    """Show the form; redirect an administrator who is signed in already."""
    after = local_path(request.args.get("next"))
    if await current_session(request):
        return redirect(after)
    return page(request, "sign_in/sign_in.html", next=after, name="", error="")


@blueprint.post("/sign-in", name="do")
@admits(ANYONE)
async def sign_in(request: Request[Any, Any]) -> HTTPResponse:
    """Open a session, or refuse, with the same words and time for every wrong pair."""
    site, after = site_of(request), local_path(form_value(request, "next"))
    name = form_value(request, "name").strip().lower()[:LONGEST_NAME]
    name = name if name.isprintable() else ""
    async with site.pool.connection() as connection:
        await forget_old(connection)
        wait = await _wait(connection, request, BY_ACCOUNT, name, name)
        found = None if wait else await find_credentials(connection, name)
    if wait:
        error = too_many(wait)
        answer = page(request, "sign_in/sign_in.html", 429, next=after, name=name, error=error)
        return _later(answer, wait)
    fits = await site.passwords.verify(
        found.password_hash if found else None, form_value(request, "password")
    )
    if not (found and fits and found.enabled):
        reason = "name" if not found else "disabled_name" if not found.enabled else "password"
        own_id = found.administrator_id if found else ""
        async with site.pool.connection() as connection:
            await note(connection, request, "refused", name, administrator_id=own_id, reason=reason)
        error = gettext("The name or the password is wrong.")
        return page(request, "sign_in/sign_in.html", 422, next=after, name=name, error=error)
    async with site.pool.connection() as connection:
        await BY_ACCOUNT.forget(connection, name)
        await BY_ADDRESS.give_back(connection, network_of(ip_address_of(request)))
        if found.second_factor:
            return await _ask_for_code(connection, request, found.administrator_id, name, after)
        answer = redirect(after, status=303)
        return await _open(connection, request, found.administrator_id, name, response=answer)


async def _wait(
    connection: AsyncConnection[Any],
    request: Request[Any, Any],
    throttle: Throttle,
    key: str,
    name: str,
) -> int:
    """Return the seconds that this IP address or account must wait; log that once a minute."""
    network = network_of(ip_address_of(request))
    wait = await BY_ADDRESS.wait_seconds(connection, network)
    wait = wait or await throttle.wait_seconds(connection, key)
    if wait and not await NOTED.wait_seconds(connection, network):
        await note(connection, request, "refused", name, reason="throttled")
    return wait


def _later(response: HTTPResponse, wait: int) -> HTTPResponse:
    response.headers["retry-after"] = str(wait)
    return response


async def _ask_for_code(
    connection: AsyncConnection[Any],
    request: Request[Any, Any],
    own_id: str,
    name: str,
    after: str,
) -> HTTPResponse:
    token = await sessions.begin_half_session(connection, own_id, datetime.now(UTC))
    await note(connection, request, "half", name, administrator_id=own_id)
    place = "/sign-in/code" + ("" if after == "/" else f"?next={quote(after, safe='')}")
    response = redirect(place, status=303)
    set_cookie(request, response, half_cookie(request), token)
    return response


async def _open(
    connection: AsyncConnection[Any],
    request: Request[Any, Any],
    own_id: str,
    name: str,
    *,
    response: HTTPResponse,
    reason: str = "",
) -> HTTPResponse:
    """Open a session, and set its cookie on `response`, which redirects to the first page."""
    now = datetime.now(UTC)
    await sessions.end_expired(connection, now)
    browser = str(request.headers.get("user-agent", ""))
    token = await sessions.begin_session(connection, own_id, ip_address_of(request), browser, now)
    await note(connection, request, "signed_in", name, administrator_id=own_id, reason=reason)
    set_cookie(request, response, cookie_name(request), token)
    return response


@blueprint.get("/sign-in/code", name="show_code")
@admits(ANYONE)
async def show_code(request: Request[Any, Any]) -> HTTPResponse:
    """Show the form for the code, to a sign-in with a correct password only."""
    async with site_of(request).pool.connection() as connection:
        half = await find_half_session(connection, request)
    if not half:
        return redirect("/sign-in", status=303)
    return _code_page(request, half, str(request.args.get("next", "")))


@blueprint.post("/sign-in/code", name="do_code")
@admits(ANYONE)
async def take_code(request: Request[Any, Any]) -> HTTPResponse:
    """Open the session if the code is right; otherwise show why not."""
    site, after = site_of(request), local_path(form_value(request, "next"))
    async with site.pool.connection() as connection:
        half = await find_half_session(connection, request)
        if not half:
            return redirect("/sign-in", status=303)
        own_id, name = half.administrator_id, half.sign_in_name
        wait = await _wait(connection, request, BY_CODE, own_id, name)
    if wait:
        return _later(_code_page(request, half, after, 429, too_many(wait)), wait)
    command = second_factors.Proven(
        administrator_id=own_id, code=form_value(request, "code")[:LONGEST_CODE]
    )
    try:
        envelope = envelope_in_name_of(request, own_id)
        kind = await with_secrets(request, second_factors.prove, command, envelope)
    except second_factors.WrongCode as wrong:
        async with site.pool.connection() as connection:
            await note(
                connection, request, "refused", name, administrator_id=own_id, reason=wrong.reason
            )
        return _code_page(request, half, after, 422, gettext(wrong.message))
    response = redirect(after, status=303)
    if kind == "recovery_code":
        response = go_on(after, gettext("You used a recovery code; it can't be used again."))
    async with site.pool.connection() as connection:
        await BY_CODE.forget(connection, own_id)
        await BY_ADDRESS.give_back(connection, network_of(ip_address_of(request)))
        await sessions.end_half_session(connection, half.token_hash, datetime.now(UTC))
        set_cookie(request, response, half_cookie(request), "")
        return await _open(
            connection, request, own_id, name, response=response, reason=f"by_{kind}"
        )


def _code_page(
    request: Request[Any, Any], half: HalfSession, after: str, status: int = 200, error: str = ""
) -> HTTPResponse:
    recovery = bool(request.args.get("recovery") or form_value(request, "recovery"))
    values = {"next": local_path(after), "name": half.sign_in_name, "recovery": recovery}
    return page(request, "sign_in/sign_in_code.html", status, error=error, **values)


@blueprint.post("/sign-out")
@admits(*EVERY_ROLE, limited=True, before_change=True)
async def sign_out(request: Request[Any, Any]) -> HTTPResponse:
    """End the session, in the browser and in the database."""
    session = await current_session(request)
    if session:
        async with site_of(request).pool.connection() as connection:
            await sessions.end_session(connection, session.token_hash)
            name, own_id = session.sign_in_name, session.administrator_id
            await note(connection, request, "signed_out", name, administrator_id=own_id)
    response = redirect("/sign-in", status=303)
    set_cookie(request, response, cookie_name(request), "")
    return response

"""Access: one decorator on every route, and the protection against forged requests."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any
from urllib.parse import quote, urlsplit

from sanic import Request
from sanic.exceptions import Forbidden, Unauthorized
from sanic.response import BaseHTTPResponse, redirect

from billing.aggregates.administrator import (
    ADMINISTRATORS,
    ADMINISTRATORS_AND_AUDITORS,
    ADMINISTRATORS_AND_OPERATORS,
    EVERY_ROLE,
)
from billing.credentials.tokens import hash_token
from billing.doors.addresses import ip_address_of
from billing.queries.sessions import Session
from billing.web.kit.bodies import FORM, LIST, SHEETS, Takes, taken_in
from billing.web.kit.i18n import DEFAULT, FOR_PROGRAMS, choose_language
from billing.web.kit.reach import refuse_beyond
from billing.web.kit.sessions import find_by_token, find_session
from billing.web.kit.sign_in_log import note_wrong_token

ANYONE = "anyone"
SAFE = ("GET", "HEAD")
__all__ = [  # with the sets of roles, so that a route needs one import
    "ADMINISTRATORS",
    "ADMINISTRATORS_AND_AUDITORS",
    "ADMINISTRATORS_AND_OPERATORS",
    "ANYONE",
    "EVERY_ROLE",
    "LIST",
    "SHEETS",
    "BeyondReach",
    "OutOfScope",
    "admits",
    "bearer",
    "cookie_name",
    "current_session",
    "form_value",
    "is_fragment",
    "is_program",
    "kept",
    "local_path",
]
Handler = Callable[..., Awaitable[Any]]  # a response, a stream, or nothing after it answered


class BeyondReach(Forbidden):
    """The request concerns companies that the administrator's limit excludes."""


class OutOfScope(Forbidden):
    """The token's scopes do not include this."""


class StaleForm(Forbidden):
    """The form belongs to another session, or to one that has ended."""


def admits(
    *roles: str,
    scope: str = "",
    limited: bool = False,
    before_change: bool = False,
    before_enrolment: bool = False,
    takes: Takes = FORM,
) -> Callable[[Handler], Handler]:
    """Admit these roles only; refuse everything else before the password was changed.

    API tokens are admitted if `scope` names one of theirs, within the role of their administrator.
    Administrators who are limited to companies are admitted if `limited` is set, to data of these
    companies (reach.py). Every route carries this decorator; the application does not start with a
    route that lacks it. `takes` limits the body, which is read only after all of this was checked.
    """

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        async def guarded(request: Request[Any, Any], *args: Any, **kwargs: Any) -> Any:
            session: Session | None = None
            if ANYONE not in roles:
                session = await current_session(request)
                if session is None:
                    return _ask_to_sign_in(request)
                _refuse_beyond_role(session, roles, scope, limited)
                if not session.token_id and (
                    place := _first_of_all(session, before_change, before_enrolment)
                ):
                    return redirect(place)
            # Browsers never send a token automatically.
            changes = request.method not in SAFE and not (session and session.token_id)
            if changes:
                _refuse_other_origins(request)
            async with taken_in(request, takes):
                if session:
                    await _refuse_forged(request, session, changes, kwargs)
                return await handler(request, *args, **kwargs)

        # Sanic leaves the body of such a handler to us.
        guarded.is_stream = True  # type: ignore[attr-defined]
        guarded.takes = takes  # type: ignore[attr-defined]
        guarded.admits = roles  # type: ignore[attr-defined]
        guarded.limited = limited  # type: ignore[attr-defined]
        guarded.scope = scope  # type: ignore[attr-defined]
        guarded.before = (before_change, before_enrolment)  # type: ignore[attr-defined]
        return guarded

    return decorate


async def current_session(request: Request[Any, Any]) -> Session | None:
    """Return the session of the request's cookie or API token, looked up once a request."""
    if not hasattr(request.ctx, "session"):
        site, now = request.app.ctx.site, datetime.now(UTC)
        token, cookie = bearer(request), request.cookies.get(cookie_name(request)) or ""
        request.ctx.session = None
        if token or cookie:
            async with site.pool.connection() as connection:
                if not token:
                    request.ctx.session = await find_session(connection, str(cookie), now)
                elif found := await find_by_token(connection, token, ip_address_of(request), now):
                    request.ctx.session = found
                else:
                    await note_wrong_token(connection, request, hash_token(token))
    session: Session | None = request.ctx.session
    return session


def bearer(request: Request[Any, Any]) -> str:
    """Return the API token of a program; with one, cookies are ignored."""
    kind, _, token = str(request.headers.get("authorization", "")).partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def is_program(request: Request[Any, Any]) -> bool:
    """Return whether a program asks, so that errors are sent as JSON."""
    return bool(bearer(request)) or request.path.startswith("/api/")


def language_of(request: Request[Any, Any], *, of_error: bool = False) -> str:
    """Return the language of a response: the requested one, else Spanish, for programs English.

    Files stay in Spanish for programs too, as they were before: separators depend on it.
    """
    api = request.path.startswith("/api/") or (of_error and is_program(request))
    accepted = request.headers.get("accept-language", "")
    return choose_language(
        request.cookies.get("language"), accepted, FOR_PROGRAMS if api else DEFAULT
    )


def cookie_name(request: Request[Any, Any]) -> str:
    """Return the session cookie's name. `__Host-` ties it to this host, and needs HTTPS."""
    return "__Host-session" if request.app.ctx.site.config.cookie_secure else "session"


def local_path(text: str | None) -> str:
    """Return `text` if it is a path of this site, else the start page: no redirect leaves it."""
    if not text or not text.startswith("/") or text[1:2] in ("/", "\\"):
        return "/"
    if any(ord(character) < 0x21 or character == "\\" for character in text):  # noqa: PLR2004 -- space and control characters
        return "/"
    parts = urlsplit(text)
    return "/" if parts.scheme or parts.netloc else text


def is_fragment(request: Request[Any, Any]) -> bool:
    """Return whether htmx asks, and will put the response into a part of the page."""
    return request.headers.get("hx-request") == "true"


def form_value(request: Request[Any, Any], name: str) -> str:
    """Return a field of the form; empty if it is missing."""
    form = request.form
    return kept(str(form.get(name, "") or "")) if form else ""


def kept(text: str) -> str:
    """Return a text without NUL characters, which the database can't store."""
    return text.replace("\0", "").encode(errors="ignore").decode()


def _refuse_beyond_role(
    session: Session, roles: tuple[str, ...], scope: str, limited: bool
) -> None:
    if session.role not in roles:
        raise Forbidden
    if session.companies and not limited:
        raise BeyondReach
    if session.token_id and (not scope or scope not in session.scopes):
        raise OutOfScope


def _first_of_all(session: Session, before_change: bool, before_enrolment: bool) -> str:
    """Return the URL to go to before anything else; "" if there is none."""
    if session.must_change and not before_change:
        return "/password"
    if session.must_enrol and not (before_change or before_enrolment):
        return "/my-account/two-factor"
    return ""


def _ask_to_sign_in(request: Request[Any, Any]) -> BaseHTTPResponse:
    if is_program(request):
        raise Unauthorized
    accepted = request.headers.get("accept", "*/*")
    wants_page = "text/html" in accepted or "*/*" in accepted
    if is_fragment(request) or request.method != "GET" or not wants_page:
        raise Unauthorized
    here = request.path + (f"?{request.query_string}" if request.query_string else "")
    return redirect("/sign-in" + ("" if here == "/" else f"?next={quote(here, safe='')}"))


async def _refuse_forged(
    request: Request[Any, Any], session: Session, changes: bool, parts: Mapping[str, Any]
) -> None:
    """Admit a form if the person intended it and it stays within their companies."""
    if changes:
        _refuse_without_token(request, session)
    if session.companies:
        await refuse_beyond(request, session.reach, parts)


def _refuse_other_origins(request: Request[Any, Any]) -> None:
    """Admit changes only from our own pages."""
    origin = str(request.headers.get("origin") or request.headers.get("referer", ""))
    if urlsplit(origin).netloc.lower() != request.host.lower():
        raise Forbidden
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden


def _refuse_without_token(request: Request[Any, Any], session: Session) -> None:
    """Admit changes only with the session's own form token."""
    given = request.headers.get("x-csrf-token") or form_value(request, "csrf")
    if not hmac.compare_digest(given.encode(), session.csrf_token.encode()):
        raise StaleForm

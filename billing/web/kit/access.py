"""Who may call what: one decorator on every route, and the defence against forged requests."""

import hmac
from collections.abc import Awaitable, Callable
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
from billing.queries.sessions import Session
from billing.web.kit.ip_addresses import ip_address_of
from billing.web.kit.reach import refuse_beyond
from billing.web.kit.sessions import find_by_token, find_session
from billing.web.kit.sign_in_log import note_wrong_token

ANYONE = "anyone"
__all__ = [  # with the sets of roles, so that a route needs one import
    "ADMINISTRATORS",
    "ADMINISTRATORS_AND_AUDITORS",
    "ADMINISTRATORS_AND_OPERATORS",
    "ANYONE",
    "EVERY_ROLE",
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
Handler = Callable[..., Awaitable[Any]]  # a response, a stream, or nothing once it answered


class BeyondReach(Forbidden):
    """This concerns more than the companies that somebody is limited to."""


class OutOfScope(Forbidden):
    """The token admits other things than this."""


class StaleForm(Forbidden):
    """The form was made for another session, or for one that has ended."""


def admits(
    *roles: str,
    scope: str = "",
    limited: bool = False,
    before_change: bool = False,
    before_enrolment: bool = False,
) -> Callable[[Handler], Handler]:
    """Admit these roles only. Who must change the password first gets nowhere else before.

    A token is admitted where its scope is named, within the role of its administrator; nowhere
    else. Who is limited to companies is admitted where `limited` says so, and to what is of these
    companies (reach.py). Every route carries it; the application refuses to start with one that
    does not.
    """

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        async def guarded(request: Request[Any, Any], *args: Any, **kwargs: Any) -> Any:
            session: Session | None = None
            if ANYONE not in roles:
                session = await current_session(request)
                if session is None:
                    return _ask_to_sign_in(request)
                if session.role not in roles:
                    raise Forbidden
                if session.companies and not limited:
                    raise BeyondReach
                if session.token_id:
                    _refuse_out_of_scope(session, scope)
                elif place := _first_of_all(session, before_change, before_enrolment):
                    return redirect(place)
            _refuse_forged(request, roles)
            if session and session.companies:
                await refuse_beyond(request, session.reach, kwargs)
            return await handler(request, *args, **kwargs)

        guarded.admits = roles  # type: ignore[attr-defined]
        guarded.limited = limited  # type: ignore[attr-defined]
        guarded.scope = scope  # type: ignore[attr-defined]
        guarded.before = (before_change, before_enrolment)  # type: ignore[attr-defined]
        return guarded

    return decorate


async def current_session(request: Request[Any, Any]) -> Session | None:
    """The session of the request's cookie or of its API token, looked up once a request."""
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
    """The API token that a program shows; then no cookie counts."""
    kind, _, token = str(request.headers.get("authorization", "")).partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def is_program(request: Request[Any, Any]) -> bool:
    """Whether no browser asks, so that errors are told as JSON."""
    return bool(bearer(request)) or request.path.startswith("/api/")


def cookie_name(request: Request[Any, Any]) -> str:
    """`__Host-` binds the cookie to this host; browsers accept it over HTTPS only."""
    return "__Host-session" if request.app.ctx.site.config.cookie_secure else "session"


def local_path(text: str | None) -> str:
    """`text` where it is a path of this site, else the start page: no redirect leads away."""
    if not text or not text.startswith("/") or text[1:2] in ("/", "\\"):
        return "/"
    if any(ord(character) < 0x21 or character == "\\" for character in text):  # noqa: PLR2004 -- space and controls
        return "/"
    parts = urlsplit(text)
    return "/" if parts.scheme or parts.netloc else text


def is_fragment(request: Request[Any, Any]) -> bool:
    """Whether htmx asks, and will put the answer into a part of the page."""
    return request.headers.get("hx-request") == "true"


def form_value(request: Request[Any, Any], name: str) -> str:
    """A field of the form; empty where it is missing."""
    form = request.form
    return kept(str(form.get(name, "") or "")) if form else ""


def kept(text: str) -> str:
    """A text without what no database keeps: an event with a NUL in it would stop its readers."""
    return text.replace("\0", "").encode(errors="ignore").decode()


def _refuse_out_of_scope(session: Session, scope: str) -> None:
    if not scope or scope not in session.scopes:
        raise OutOfScope


def _first_of_all(session: Session, before_change: bool, before_enrolment: bool) -> str:
    """Where somebody must go before anything else; empty who may go on."""
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


def _refuse_forged(request: Request[Any, Any], roles: tuple[str, ...]) -> None:
    """Admit a change only where the person meant it. No browser shows a token by itself."""
    if request.method in ("GET", "HEAD"):
        return
    if ANYONE not in roles:
        if request.ctx.session.token_id:
            return
        _refuse_without_token(request)
    _refuse_other_origins(request)


def _refuse_other_origins(request: Request[Any, Any]) -> None:
    """Admit a change only from a page of ours."""
    origin = str(request.headers.get("origin") or request.headers.get("referer", ""))
    if urlsplit(origin).netloc.lower() != request.host.lower():
        raise Forbidden
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden


def _refuse_without_token(request: Request[Any, Any]) -> None:
    """Admit a change only with the session's own token."""
    session: Session = request.ctx.session
    given = request.headers.get("x-csrf-token") or form_value(request, "csrf")
    if not hmac.compare_digest(given.encode(), session.csrf_token.encode()):
        raise StaleForm

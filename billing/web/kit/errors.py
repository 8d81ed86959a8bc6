"""The response to an error: a page, or a fragment if htmx requested a part of one."""

import logging
from typing import Any

from psycopg import Error
from sanic import Request, Sanic
from sanic.exceptions import SanicException
from sanic.response import HTTPResponse, json, text

from billing.database import is_away, tell_away
from billing.database.limits import is_too_slow
from billing.values import Refused
from billing.web.kit.access import (
    BeyondReach,
    OutOfScope,
    StaleForm,
    current_session,
    is_fragment,
    is_program,
    language_of,
)
from billing.web.kit.i18n import N_, gettext, set_language
from billing.web.kit.pages import page

logger = logging.getLogger(__name__)

TITLES = {
    400: N_("This request could not be understood"),
    401: N_("Your session has ended"),
    403: N_("You don't have permission for this"),
    404: N_("There is nothing here"),
    405: N_("This URL can't be used like that"),
    408: N_("The request took too long to arrive"),
    413: N_("This is too large"),
    500: N_("Something went wrong"),
    503: N_("The service is busy"),
}
EXPLANATIONS = {
    400: N_("The URL or the form has invalid values."),
    401: N_("Sign in again to continue. Nothing was changed."),
    403: N_("Your role does not allow it. Nothing was changed."),
    404: N_("The page was moved, or the URL is mistyped."),
    405: N_("Go back and try again."),
    408: N_("Check your connection and try again. Nothing was changed."),
    413: N_("The request is larger than the service accepts."),
    500: N_("The error was recorded. If it happens again, tell your operator this reference."),
    503: N_("This is taking longer than usual. Try again in a moment."),
}

BEYOND_REACH = N_("This concerns the whole installation; your access is limited to some companies.")


def install_error_pages(app: Sanic[Any, Any]) -> None:
    """Replace Sanic's own pages, which our content security policy would break."""
    app.exception(Exception)(show_error)


async def show_error(request: Request[Any, Any], error: Exception) -> HTTPResponse:
    """Return the page or fragment for an error; internal errors are logged with their reference."""
    set_language(language_of(request, of_error=True))
    status, explanation = _meaning(error)
    title = gettext(TITLES[status])
    if status == 503 and request.method not in ("GET", "HEAD"):  # noqa: PLR2004
        explanation = gettext("It may or may not have been done. Check before you do it again.")
    if is_too_slow(error):
        title = gettext("This takes too long")
        logger.warning("%s %s took too long (%s)", request.method, request.path, request.id)
        await _know_who(request)
    elif is_away(error):
        tell_away(error)
    elif status >= 500:  # noqa: PLR2004 -- an internal error
        logger.error("%s %s failed (%s)", request.method, request.path, request.id, exc_info=error)
    elif request.app.ctx.site:
        await _know_who(request)
    if is_program(request) and status == 401:  # noqa: PLR2004 -- not signed in
        explanation = gettext("Send a valid API token: Authorization: Bearer …")
    has_reference = is_program(request) or status >= 500  # noqa: PLR2004
    return error_page(request, status, title, explanation, str(request.id) if has_reference else "")


def error_page(
    request: Request[Any, Any], status: int, title: str, explanation: str, reference: str = ""
) -> HTTPResponse:
    """Return an error as a page, as a fragment, or as JSON for a program."""
    if is_program(request):
        return problem(status, title, explanation, reference)
    fragment = is_fragment(request)
    try:
        return page(
            request,
            "_error.html" if fragment else "error.html",
            status,
            code=status,
            title=title,
            explanation=explanation,
            reference=reference,
        )
    except Exception:
        logger.exception("The error page failed too.")
        return text(gettext(TITLES[500]), 500)


def problem(status: int, title: str, detail: str, reference: str = "", **more: Any) -> HTTPResponse:
    """Return an error for a program, as RFC 9457 defines it."""
    told = {"title": title, "status": status, "detail": detail, **more}
    if reference:
        told["reference"] = reference
    headers = {"www-authenticate": "Bearer"} if status == 401 else None  # noqa: PLR2004
    return json(told, status, headers, "application/problem+json")


def _meaning(error: Exception) -> tuple[int, str]:
    if isinstance(error, Refused):
        return 400, gettext(error.message, **error.values)
    if isinstance(error, BeyondReach):
        return 403, gettext(BEYOND_REACH)
    if isinstance(error, StaleForm):
        return 403, gettext("This form expired. Reload it and try again. Nothing was changed.")
    if isinstance(error, OutOfScope):
        return 403, gettext("This token does not allow that. Create one with the scope it needs.")
    if is_too_slow(error):
        return 503, gettext(
            "Choose a shorter period or a narrower filter. If it happens without a filter, inform"
            " your operator."
        )
    status = error.status_code if isinstance(error, SanicException) else 500
    status = 503 if is_away(error) else status
    status = status if status in TITLES else 400 if status < 500 else 500  # noqa: PLR2004
    return status, gettext(EXPLANATIONS[status])


async def _know_who(request: Request[Any, Any]) -> None:
    """Look up the session for the menu; if that fails, the error page has no menu."""
    try:
        await current_session(request)
    except Error:
        request.ctx.session = None

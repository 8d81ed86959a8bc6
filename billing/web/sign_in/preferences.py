"""The language and theme of this browser, stored in cookies."""

from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse, redirect

from billing.web.kit.access import ANYONE, admits, form_value, local_path
from billing.web.kit.i18n import LANGUAGES
from billing.web.kit.pages import THEMES
from billing.web.site import site_of

YEAR_SECONDS = 365 * 24 * 3600
blueprint = Blueprint("preferences")


@blueprint.post("/preferences")
@admits(ANYONE)
async def set_preferences(request: Request[Any, Any]) -> HTTPResponse:
    """Store the choice, and redirect to the page where it was made."""
    response = redirect(local_path(form_value(request, "next")), status=303)
    for name, known in (("language", tuple(LANGUAGES)), ("theme", THEMES)):
        chosen = form_value(request, name)
        if chosen in known:
            response.add_cookie(
                name,
                chosen,
                max_age=YEAR_SECONDS,
                path="/",
                samesite="Lax",
                httponly=False,  # the script of the theme switch sets the cookie too
                secure=site_of(request).config.cookie_secure,
            )
    return response

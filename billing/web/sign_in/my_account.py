"""The page "My account": password, two-factor, open sessions, API tokens."""

from typing import Any

from sanic import Blueprint, Request
from sanic.exceptions import NotFound, Unauthorized
from sanic.response import HTTPResponse

from billing.commands.sessions import end_sessions
from billing.queries import administrators as reading
from billing.queries.api_tokens import tokens_of
from billing.queries.sessions import Session
from billing.web.acting import go_on, with_secrets
from billing.web.kit.access import EVERY_ROLE, admits, current_session, form_value
from billing.web.kit.i18n import gettext
from billing.web.kit.pages import page
from billing.web.site import site_of

OTHERS = "others"
blueprint = Blueprint("my_account")


async def myself(request: Request[Any, Any]) -> Session:
    """Return the session, in handlers that every role may call; raises Unauthorized."""
    session = await current_session(request)
    if session is None:
        raise Unauthorized
    return session


@blueprint.get("/my-account")
@admits(*EVERY_ROLE, limited=True)
async def show_my_account(request: Request[Any, Any]) -> HTTPResponse:
    """Show everything about the signed-in administrator's own account."""
    session = await myself(request)
    own_id = session.administrator_id
    async with site_of(request).pool.connection() as connection:
        factor = await reading.second_factor_of(connection, own_id)
        sessions = await reading.sessions_of(connection, own_id)
        tokens = await tokens_of(connection, own_id)
    return page(
        request,
        "sign_in/my_account.html",
        page="my-account",
        factor=factor,
        sessions=sessions,
        tokens=tokens,
        this_session=session.token_hash.hex()[:32],
    )


@blueprint.post("/my-account/sessions", name="end_my_sessions")
@admits(*EVERY_ROLE, limited=True)
async def end_my_sessions(request: Request[Any, Any]) -> HTTPResponse:
    """End one of the own sessions, or all except this one."""
    session, one = await myself(request), form_value(request, "session")

    if not one:
        raise NotFound

    def end(_store: Any, connection: Any, own_id: str, envelope: Any) -> int:
        only = "" if one == OTHERS else one
        by, now, kept = envelope.actor, envelope.recorded_at, session.token_hash
        return end_sessions(connection, own_id, "by_hand", by, now, one=only, kept=kept)

    count = await with_secrets(request, end, session.administrator_id)
    said = gettext("The sessions were ended.") if count else gettext("It had already ended.")
    return go_on("/my-account", said)

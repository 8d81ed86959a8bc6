"""The signed-in administrator's API tokens: create, show once, revoke."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.aggregates.api_token import scopes_of
from billing.commands import api_tokens as commands
from billing.values import Refused, new_id
from billing.web.acting import go_on, with_secrets
from billing.web.kit import words
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.forms import Form
from billing.web.kit.i18n import gettext
from billing.web.kit.pages import page
from billing.web.sign_in.my_account import myself
from billing.web.site import site_of

blueprint = Blueprint("api_tokens")


@blueprint.get("/my-account/tokens/new", name="ask_token")
@admits(*EVERY_ROLE, limited=True)
async def ask_token(request: Request[Any, Any]) -> HTTPResponse:
    """Show the form for a token."""
    return await _token_page(request, Form({}))


@blueprint.post("/my-account/tokens/new", name="make_token")
@admits(*EVERY_ROLE, limited=True)
async def make_token(request: Request[Any, Any]) -> HTTPResponse:
    """Create a token, and show it once."""
    session, form = await myself(request), Form.of(request)
    command = commands.MakeToken(
        administrator_id=session.administrator_id,
        token_id=new_id(),
        name=form.text("name", longest=100),
        scopes=tuple(form.many("scope")),
        expires_at=_end_of_day(form, site_of(request).zone),
    )
    if not form.errors:
        try:
            made = await with_secrets(request, commands.make_token, command)
        except Refused as refusal:
            form.refuse(refusal)
        else:
            return page(
                request,
                "sign_in/api_token_made.html",
                page="my-account",
                name=command.name,
                token=made.token,
            )
    return await _token_page(request, form, 422)


@blueprint.post("/my-account/tokens/<token_id:str>/revoke", name="revoke_token")
@admits(*EVERY_ROLE, limited=True)
async def revoke_token(request: Request[Any, Any], token_id: str) -> HTTPResponse:
    """Revoke a token."""
    session = await myself(request)
    command = commands.RevokeToken(administrator_id=session.administrator_id, token_id=token_id)
    await with_secrets(request, commands.revoke_token, command)
    return go_on(
        "/my-account", gettext("The token was revoked. Programs that use it are now refused.")
    )


def _end_of_day(form: Form, zone: ZoneInfo) -> datetime | None:
    """Return the end of a token's last day, on which it is still valid; None: no end."""
    last = form.day("last_day")
    if not last:
        return None
    return datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)


async def _token_page(request: Request[Any, Any], form: Form, status: int = 200) -> HTTPResponse:
    session = await myself(request)
    return page(
        request,
        "sign_in/api_token_new.html",
        status,
        page="my-account",
        form=form,
        chosen=form.many("scope"),
        scopes=[(scope, words.word(words.SCOPES, scope)) for scope in scopes_of(session.role)],
    )

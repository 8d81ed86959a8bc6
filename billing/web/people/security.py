"""What an administrator does for the security of another: sessions, two-factor, tokens."""

from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.commands import api_tokens, second_factors
from billing.commands.sessions import end_sessions
from billing.web.acting import carry_out, connected, go_on, with_secrets
from billing.web.kit.access import admits, form_value
from billing.web.kit.i18n import gettext
from billing.web.people.administrators import WHO, find_or_404

blueprint = Blueprint("administrator_security")


@blueprint.post("/administrators/<own_id:str>/sessions", name="end_sessions")
@admits(WHO)
async def do_end_sessions(request: Request[Any, Any], own_id: str) -> HTTPResponse:
    """End one session; without an id end all of them."""
    await find_or_404(request, own_id)
    one = form_value(request, "session")

    def end(_store: Any, connection: Any, who: str, envelope: Any) -> int:
        by, now = envelope.actor, envelope.recorded_at
        return end_sessions(connection, who, "by_hand", by, now, one=one)

    await with_secrets(request, end, own_id)
    return go_on(f"/administrators/{own_id}", gettext("The sessions were ended."))


@blueprint.post("/administrators/<own_id:str>/two-factor/reset", name="reset_two_factor")
@admits(WHO)
async def reset_two_factor(request: Request[Any, Any], own_id: str) -> HTTPResponse:
    """Reset the two-factor of an administrator who lost phone and codes."""
    await find_or_404(request, own_id)
    command = second_factors.Reset(administrator_id=own_id)
    shown = await carry_out(request, connected(second_factors.reset), command)
    said = gettext("Two-factor was reset. It can be set up again after signing in.")
    return go_on(f"/administrators/{own_id}", said, shown=shown)


@blueprint.post("/administrators/<own_id:str>/two-factor/demand", name="demand_two_factor")
@admits(WHO)
async def demand_two_factor(request: Request[Any, Any], own_id: str) -> HTTPResponse:
    """Require two-factor of an administrator, or stop requiring it."""
    await find_or_404(request, own_id)
    demanded = form_value(request, "demanded") == "yes"
    command = second_factors.Demand(administrator_id=own_id, demanded=demanded)
    shown = await carry_out(request, second_factors.demand, command)
    said = (
        gettext("Two-factor is mandatory: nothing else is shown until it is set up.")
        if demanded
        else gettext("Two-factor is no longer required.")
    )
    return go_on(f"/administrators/{own_id}", said, shown=shown)


@blueprint.post("/administrators/<own_id:str>/tokens/<token_id:str>/revoke", name="revoke_a_token")
@admits(WHO)
async def revoke_a_token(request: Request[Any, Any], own_id: str, token_id: str) -> HTTPResponse:
    """Revoke a token of another administrator."""
    await find_or_404(request, own_id)
    command = api_tokens.RevokeToken(administrator_id=own_id, token_id=token_id)
    shown = await carry_out(request, connected(api_tokens.revoke_token), command)
    said = gettext("The token was revoked. Programs that use it are now refused.")
    return go_on(f"/administrators/{own_id}", said, shown=shown)

"""Write the log of sign-ins."""

from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection
from sanic import Request

from billing.commands.sign_ins import SignIn, note_sign_in
from billing.doors.addresses import ip_address_of, network_of
from billing.queries.api_tokens import owner_of_token
from billing.web.kit.throttle import BY_TOKEN


async def note(
    connection: AsyncConnection[Any],
    request: Request[Any, Any],
    kind: str,
    name: str,
    *,
    administrator_id: str = "",
    reason: str = "",
) -> None:
    """Add a line: signed_in, half (password given, no code yet), refused, signed_out."""
    line = SignIn(
        at=datetime.now(UTC),
        kind=kind,
        reason=reason,
        sign_in_name=name,
        administrator_id=administrator_id,
        address=ip_address_of(request),
        browser=str(request.headers.get("user-agent", "")),
    )
    await note_sign_in(connection, line)


async def note_wrong_token(
    connection: AsyncConnection[Any], request: Request[Any, Any], token_hash: bytes
) -> None:
    """Add a line about an invalid API token, at most one a minute for each IP address."""
    if await BY_TOKEN.wait_seconds(connection, network_of(ip_address_of(request))):
        return
    own_id, name = await owner_of_token(connection, token_hash)
    await note(connection, request, "refused", name, administrator_id=own_id, reason="token")

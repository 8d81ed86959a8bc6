"""Writes the log of sign-ins: who came in, who was refused and why, who left."""

from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection
from sanic import Request

from billing.web.kit.addresses import address_of, network_of
from billing.web.kit.sessions import LONGEST_BROWSER
from billing.web.kit.throttle import BY_TOKEN

LONGEST_NAME = 100
ADD = """
insert into sign_ins (at, kind, reason, sign_in_name, administrator_id, address, browser)
values (%s, %s, %s, %s, %s, %s, %s)"""
# A session that ran out is noticed when somebody signs in or looks at the log; it ended when it
# ran out.
MOVE_EXPIRED = """
with gone as (delete from sessions where expires_at < %s returning *)
insert into sign_ins (at, kind, reason, sign_in_name, administrator_id, address, browser)
select gone.expires_at, 'expired', '', coalesce(c.sign_in_name, ''), gone.administrator_id,
 gone.address, gone.browser
from gone left join administrator_credentials c on c.administrator_id = gone.administrator_id"""
WHOSE = """
select t.administrator_id, coalesce(c.sign_in_name, '')
from api_tokens t left join administrator_credentials c using (administrator_id)
where t.token_hash = %s"""


async def note(
    connection: AsyncConnection[Any],
    request: Request[Any, Any],
    kind: str,
    name: str,
    *,
    administrator_id: str = "",
    reason: str = "",
) -> None:
    """Add a line: signed_in, half (the password, not yet the code), refused, signed_out."""
    browser = str(request.headers.get("user-agent", ""))[:LONGEST_BROWSER]
    row = (kind, reason, name[:LONGEST_NAME], administrator_id, address_of(request), browser)
    await connection.execute(ADD, (datetime.now(UTC), *row))


async def note_expired(connection: AsyncConnection[Any]) -> None:
    """Move what ran out from the sessions to the log."""
    await connection.execute(MOVE_EXPIRED, (datetime.now(UTC),))


async def note_wrong_token(
    connection: AsyncConnection[Any], request: Request[Any, Any], token_hash: bytes
) -> None:
    """Add a line about an API token that admits nothing: one a minute for each address."""
    if await BY_TOKEN.wait_seconds(connection, network_of(address_of(request))):
        return
    row = await (await connection.execute(WHOSE, (token_hash,))).fetchone()
    own_id, name = row or ("", "")
    await note(connection, request, "refused", name, administrator_id=own_id, reason="token")

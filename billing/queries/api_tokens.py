"""What the pages show of API tokens: scopes, state, last use; never the token itself."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row


class TokenRow(msgspec.Struct, frozen=True, kw_only=True):
    token_id: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    seen_at: datetime | None
    seen_address: str
    state: str  # open, expired, revoked


TOKENS = """
select token_id, name, scopes, created_at, expires_at, seen_at, seen_address,
 case when revoked_at is not null then 'revoked' when expires_at <= now() then 'expired'
  else 'open' end as state
from api_tokens where administrator_id = %s
order by (revoked_at is null and coalesce(expires_at > now(), true)) desc, created_at desc
limit 100"""
WHOSE = """
select t.administrator_id, coalesce(c.sign_in_name, '')
from api_tokens t left join administrator_credentials c using (administrator_id)
where t.token_hash = %s"""


async def tokens_of(connection: AsyncConnection[Any], administrator_id: str) -> list[TokenRow]:
    """Return the tokens of an administrator, the valid ones first."""
    async with connection.cursor(row_factory=class_row(TokenRow)) as cursor:
        await cursor.execute(TOKENS, (administrator_id,))
        return await cursor.fetchall()


async def owner_of_token(connection: AsyncConnection[Any], token_hash: bytes) -> tuple[str, str]:
    """Return the owner's id and sign-in name, also of an expired token; ("", "") if unknown."""
    row = await (await connection.execute(WHOSE, (token_hash,))).fetchone()
    return (row[0], row[1]) if row else ("", "")

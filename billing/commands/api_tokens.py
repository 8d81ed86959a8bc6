"""Commands on API tokens: make and revoke. A token is shown once; only its hash is stored."""

from datetime import datetime
from typing import Any

import msgspec
import psycopg
from psycopg import AsyncConnection

from billing.aggregates import api_token
from billing.aggregates.event import Envelope
from billing.commands.deciding import decide
from billing.credentials.tokens import hash_token, new_token
from billing.log.store import Store

PREFIX = "contarifa_"  # lets scanners of leaked secrets recognise a token
ADD = """
insert into api_tokens
 (token_id, token_hash, administrator_id, name, scopes, created_at, expires_at)
values (%s, %s, %s, %s, %s, %s, %s)"""
SEEN = "update api_tokens set seen_at = %s, seen_address = %s where token_hash = %s"
REVOKE = """
update api_tokens set revoked_at = %(now)s
where administrator_id = %(who)s and revoked_at is null
 and (%(one)s = '' or token_id = %(one)s)"""


class MakeToken(msgspec.Struct, frozen=True, kw_only=True):
    administrator_id: str
    token_id: str
    name: str
    scopes: tuple[str, ...]
    expires_at: datetime | None = None


class RevokeToken(msgspec.Struct, frozen=True, kw_only=True):
    administrator_id: str
    token_id: str


class MadeToken(msgspec.Struct, frozen=True):
    """A new token, to be shown once, and the position of its event."""

    token: str
    position: int


def make_token(
    store: Store, connection: psycopg.Connection, command: MakeToken, envelope: Envelope
) -> MadeToken:
    """Make a token that acts for an administrator."""
    token, now = PREFIX + new_token(), envelope.recorded_at
    with connection.transaction():
        position = decide(
            store,
            f"administrator:{command.administrator_id}",
            api_token.evolve,
            lambda state: api_token.make(
                state,
                token_id=command.token_id,
                name=command.name,
                scopes=command.scopes,
                expires_at=command.expires_at,
                now=now,
            ),
            envelope,
        )
        row = (command.token_id, hash_token(token), command.administrator_id, command.name.strip())
        connection.execute(ADD, (*row, list(command.scopes), now, command.expires_at))
    return MadeToken(token, position)


def revoke_token(
    store: Store, connection: psycopg.Connection, command: RevokeToken, envelope: Envelope
) -> int:
    """Revoke a token, effective immediately; return the position of the event."""
    own_id = command.administrator_id
    with connection.transaction():
        revoke(connection, own_id, envelope.recorded_at, one=command.token_id)
        return decide(
            store,
            f"administrator:{own_id}",
            api_token.evolve,
            lambda state: api_token.revoke(state, command.token_id),
            envelope,
        )


def revoke(
    connection: psycopg.Connection, administrator_id: str, now: datetime, *, one: str = ""
) -> None:
    """Revoke one token of an administrator, or all if `one` is ""."""
    connection.execute(REVOKE, {"who": administrator_id, "now": now, "one": one})


async def note_use(
    connection: AsyncConnection[Any], token_hash: bytes, address: str, now: datetime
) -> None:
    """Record when a token was used last, and from which IP address."""
    await connection.execute(SEEN, (now, address, token_hash))

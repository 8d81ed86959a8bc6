"""API tokens of an administrator, on the administrator's stream. Events never hold secrets."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from billing.aggregates.administrator import (
    ADMINISTRATORS,
    EVERY_ROLE,
    AdministratorAdded,
    AdministratorChanged,
    AdministratorDisabled,
    AdministratorEnabled,
)
from billing.aggregates.event import Event
from billing.values import Refused

# Scope -> roles that may have it: a token never does more than its owner may.
SCOPES = {
    "calls": EVERY_ROLE,
    "accounts": EVERY_ROLE,
    "recharge": ADMINISTRATORS,
    "metrics": EVERY_ROLE,
}
MOST_TOKENS = 50


class ApiTokenMade(Event, frozen=True, kw_only=True):
    token_id: str
    name: str
    scope: str  # scopes, separated by spaces
    expires_at: datetime | None = None


class ApiTokenRevoked(Event, frozen=True, kw_only=True):
    token_id: str
    name: str


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens of an administrator that are not revoked, as id -> name."""

    role: str
    enabled: bool = True
    names: dict[str, str] = {}


def evolve(tokens: Tokens | None, event: Event) -> Tokens | None:
    """Return the tokens after `event` of their administrator."""
    if tokens is None:
        return Tokens(role=event.role) if isinstance(event, AdministratorAdded) else None
    fields: dict[str, object] = {}
    match event:
        case AdministratorChanged(role=role):
            fields = {"role": role}
        case AdministratorDisabled():
            fields = {"enabled": False, "names": {}}
        case AdministratorEnabled():
            fields = {"enabled": True}
        case ApiTokenMade(token_id=token_id, name=name):
            fields = {"names": {**tokens.names, token_id: name}}
        case ApiTokenRevoked(token_id=token_id):
            fields = {"names": {key: own for key, own in tokens.names.items() if key != token_id}}
    return msgspec.structs.replace(tokens, **fields) if fields else tokens


def scopes_of(role: str) -> list[str]:
    """Return the scopes that a token of this role may have."""
    return [scope for scope, roles in SCOPES.items() if role in roles]


def make(
    tokens: Tokens,
    *,
    token_id: str,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    now: datetime,
) -> list[Event]:
    """Make a token. Refused for scopes that the owner's role does not have."""
    if not tokens.enabled:
        raise Refused("This administrator is disabled.")
    if not name.strip():
        raise Refused("A token needs a name that says which program uses it.")
    if not scopes:
        raise Refused("Choose at least one permission for the token.")
    for scope in scopes:
        if scope not in scopes_of(tokens.role):
            raise Refused("You can't create a token for %(scope)s.", scope=scope)
    if expires_at and expires_at <= now:
        raise Refused("The token would have expired already.")
    if name.strip() in tokens.names.values():
        raise Refused("You already have a token called %(name)s.", name=name.strip())
    if len(tokens.names) >= MOST_TOKENS:
        raise Refused("There are %(n)s tokens already. Revoke one first.", n=MOST_TOKENS)
    scope = " ".join(each for each in SCOPES if each in scopes)
    return [ApiTokenMade(token_id=token_id, name=name.strip(), scope=scope, expires_at=expires_at)]


def revoke(tokens: Tokens, token_id: str) -> list[Event]:
    """Revoke a token."""
    if token_id not in tokens.names:
        raise Refused("This token was already revoked, or never created.")
    return [ApiTokenRevoked(token_id=token_id, name=tokens.names[token_id])]

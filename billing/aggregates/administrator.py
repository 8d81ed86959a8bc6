"""An administrator: who may sign in, and in which role. Secrets live in tables, never here."""

import msgspec

from billing.aggregates.event import Event
from billing.values import Refused

ROLES = ("administrator", "operator", "auditor")
LANGUAGES = ("es", "en")


class AdministratorAdded(Event, frozen=True, kw_only=True):
    sign_in_name: str
    name: str
    role: str
    language: str


class Administrator(msgspec.Struct, frozen=True, kw_only=True):
    role: str


def evolve(administrator: Administrator | None, event: Event) -> Administrator | None:
    """The administrator after `event`."""
    match event:
        case AdministratorAdded(role=role):
            return Administrator(role=role)
        case _:
            return administrator


def add_administrator(
    administrator: Administrator | None, *, sign_in_name: str, name: str, role: str, language: str
) -> list[Event]:
    """Add an administrator. The sign-in name is lower case and unique (the credentials say so)."""
    if administrator:
        raise Refused("This administrator exists already.")
    if not sign_in_name or sign_in_name != sign_in_name.strip().lower():
        raise Refused("A sign-in name is lower case, without spaces around it.")
    if role not in ROLES:
        raise Refused("%(role)s is not a role.", role=role)
    if language not in LANGUAGES:
        raise Refused("%(language)s is not a language of these pages.", language=language)
    return [
        AdministratorAdded(
            sign_in_name=sign_in_name, name=name or sign_in_name, role=role, language=language
        )
    ]

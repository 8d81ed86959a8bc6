"""An administrator: who may sign in, and in which role. Secrets live in tables, never here."""

from collections.abc import Iterable

import msgspec

from billing.aggregates.event import Event
from billing.values import Refused

# The roles, and the sets of them that routes and scopes admit.
EVERY_ROLE = ("administrator", "operator", "auditor")
ADMINISTRATORS = ("administrator",)
ADMINISTRATORS_AND_OPERATORS = ("administrator", "operator")
ADMINISTRATORS_AND_AUDITORS = ("administrator", "auditor")
LANGUAGES = ("es", "en")
MOST_COMPANIES = 200  # of one limit: a page looks each of them up


class AdministratorAdded(Event, frozen=True, kw_only=True):
    sign_in_name: str
    name: str
    role: str
    language: str


class AdministratorChanged(Event, frozen=True, kw_only=True):
    name: str
    role: str
    language: str


class AdministratorDisabled(Event, frozen=True, kw_only=True):
    """May not sign in any more; what was done in this name stays in the logs."""


class AdministratorEnabled(Event, frozen=True, kw_only=True):
    """May sign in again."""


class AdministratorLimited(Event, frozen=True, kw_only=True):
    """Reaches these companies and what belongs to them; where none is named, everything."""

    companies: tuple[str, ...]


class AdministratorPasswordReset(Event, frozen=True, kw_only=True):
    """Somebody made a new password, to be changed at the next sign-in."""


class AdministratorPasswordChanged(Event, frozen=True, kw_only=True):
    """Somebody chose a new password of their own."""


class Administrator(msgspec.Struct, frozen=True, kw_only=True):
    role: str
    name: str = ""
    language: str = "es"
    enabled: bool = True
    companies: tuple[str, ...] = ()  # those it is limited to, if any

    @property
    def governs(self) -> bool:
        """Whether this one can manage the others."""
        return self.enabled and self.role == "administrator" and not self.companies


def evolve(administrator: Administrator | None, event: Event) -> Administrator | None:
    """The administrator after `event`."""
    match event:
        case AdministratorAdded(role=role, name=name, language=language):
            return Administrator(role=role, name=name, language=language)
        case AdministratorChanged(role=role, name=name, language=language) if administrator:
            return msgspec.structs.replace(administrator, role=role, name=name, language=language)
        case AdministratorLimited(companies=companies) if administrator:
            return msgspec.structs.replace(administrator, companies=companies)
        case AdministratorDisabled() if administrator:
            return msgspec.structs.replace(administrator, enabled=False)
        case AdministratorEnabled() if administrator:
            return msgspec.structs.replace(administrator, enabled=True)
        case _:
            return administrator


def add_administrator(
    administrator: Administrator | None,
    *,
    sign_in_name: str,
    name: str,
    role: str,
    language: str,
    companies: Iterable[str] = (),
) -> list[Event]:
    """Add an administrator, perhaps limited to companies.

    The sign-in name is lower case and unique (the credentials say so).
    """
    if administrator:
        raise Refused("This administrator exists already.")
    if not sign_in_name or sign_in_name != sign_in_name.strip().lower():
        raise Refused("A sign-in name is lower case, without spaces around it.")
    _check(role, language)
    added = AdministratorAdded(
        sign_in_name=sign_in_name, name=name or sign_in_name, role=role, language=language
    )
    new = Administrator(role=role)
    return [added, *limit_administrator(new, companies=companies, last=False)]


def change_administrator(
    administrator: Administrator, *, name: str, role: str, language: str, last: bool
) -> list[Event]:
    """Change who somebody is and may do. `last`: nobody else can manage administrators."""
    if not name.strip():
        raise Refused("An administrator needs a name.")
    _check(role, language)
    if last and administrator.governs and role != "administrator":
        raise Refused("The last administrator can't be given another role.")
    if (name.strip(), role, language) == (
        administrator.name,
        administrator.role,
        administrator.language,
    ):
        return []
    return [AdministratorChanged(name=name.strip(), role=role, language=language)]


def limit_administrator(
    administrator: Administrator, *, companies: Iterable[str], last: bool
) -> list[Event]:
    """Let somebody reach these companies only; everything where there are none."""
    limited = tuple(sorted(set(companies)))
    if len(limited) > MOST_COMPANIES:
        raise Refused("A limit names at most %(most)s companies.", most=MOST_COMPANIES)
    if last and administrator.governs and limited:
        raise Refused("The last administrator can't be limited to companies.")
    return [] if limited == administrator.companies else [AdministratorLimited(companies=limited)]


def disable_administrator(administrator: Administrator, *, last: bool) -> list[Event]:
    """Admit somebody no more."""
    if last and administrator.governs:
        raise Refused("The last administrator can't be disabled.")
    return [AdministratorDisabled()] if administrator.enabled else []


def enable_administrator(administrator: Administrator) -> list[Event]:
    """Admit somebody again."""
    return [] if administrator.enabled else [AdministratorEnabled()]


def reset_password(administrator: Administrator) -> list[Event]:
    """Note that somebody's password was made anew."""
    if not administrator.enabled:
        raise Refused("This administrator is disabled.")
    return [AdministratorPasswordReset()]


def change_password(administrator: Administrator) -> list[Event]:
    """Note that somebody chose a new password."""
    if not administrator.enabled:
        raise Refused("This administrator is disabled.")
    return [AdministratorPasswordChanged()]


def _check(role: str, language: str) -> None:
    if role not in EVERY_ROLE:
        raise Refused("%(role)s is not a role.", role=role)
    if language not in LANGUAGES:
        raise Refused("%(language)s is not a language of these pages.", language=language)

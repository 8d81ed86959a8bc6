"""An administrator may sign in, with a role. Secrets are in tables, never in events."""

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
MOST_COMPANIES = 200  # per administrator: pages look up each of them


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
    """The administrator can't sign in any more; the logs keep what they did under their name."""


class AdministratorEnabled(Event, frozen=True, kw_only=True):
    """The administrator can sign in again."""


class AdministratorLimited(Event, frozen=True, kw_only=True):
    """Limit the administrator to these companies and what belongs to them; () means no limit."""

    companies: tuple[str, ...]


class AdministratorPasswordReset(Event, frozen=True, kw_only=True):
    """Somebody else set a new password, which must be changed at the next sign-in."""


class AdministratorPasswordChanged(Event, frozen=True, kw_only=True):
    """The administrator changed their own password."""


class Administrator(msgspec.Struct, frozen=True, kw_only=True):
    """The state of an administrator."""

    role: str
    name: str = ""
    language: str = "es"
    enabled: bool = True
    companies: tuple[str, ...] = ()  # the companies this administrator is limited to; () means all

    @property
    def governs(self) -> bool:
        """Whether this administrator can manage administrators."""
        return self.enabled and self.role == "administrator" and not self.companies


def evolve(administrator: Administrator | None, event: Event) -> Administrator | None:
    """Return the administrator after `event`."""
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
    """Add an administrator, optionally limited to companies.

    The sign-in name is lower case; the table of credentials guarantees that it is unique.
    """
    if administrator:
        raise Refused("This administrator already exists.")
    if not sign_in_name or sign_in_name != sign_in_name.strip().lower():
        raise Refused("A sign-in name must be lower case, without leading or trailing spaces.")
    _check(role, language)
    added = AdministratorAdded(
        sign_in_name=sign_in_name, name=name or sign_in_name, role=role, language=language
    )
    new = Administrator(role=role)
    return [added, *limit_administrator(new, companies=companies, last=False)]


def change_administrator(
    administrator: Administrator, *, name: str, role: str, language: str, last: bool
) -> list[Event]:
    """Change name, role and language. `last`: nobody else can manage administrators."""
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
    """Limit the administrator to these companies; none means no limit."""
    limited = tuple(sorted(set(companies)))
    if len(limited) > MOST_COMPANIES:
        raise Refused("A limit has at most %(most)s companies.", most=MOST_COMPANIES)
    if last and administrator.governs and limited:
        raise Refused("The last administrator can't be limited to companies.")
    return [] if limited == administrator.companies else [AdministratorLimited(companies=limited)]


def disable_administrator(administrator: Administrator, *, last: bool) -> list[Event]:
    """Prevent the administrator from signing in."""
    if last and administrator.governs:
        raise Refused("The last administrator can't be disabled.")
    return [AdministratorDisabled()] if administrator.enabled else []


def enable_administrator(administrator: Administrator) -> list[Event]:
    """Let the administrator sign in again."""
    return [] if administrator.enabled else [AdministratorEnabled()]


def reset_password(administrator: Administrator) -> list[Event]:
    """Record that somebody else reset the password."""
    if not administrator.enabled:
        raise Refused("This administrator is disabled.")
    return [AdministratorPasswordReset()]


def change_password(administrator: Administrator) -> list[Event]:
    """Record that the administrator changed their password."""
    if not administrator.enabled:
        raise Refused("This administrator is disabled.")
    return [AdministratorPasswordChanged()]


def _check(role: str, language: str) -> None:
    if role not in EVERY_ROLE:
        raise Refused("%(role)s is not a role.", role=role)
    if language not in LANGUAGES:
        raise Refused("%(language)s is not an available language.", language=language)

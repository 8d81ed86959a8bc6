"""The second step of an administrator's sign-in, on the administrator's stream; no secrets."""

import msgspec

from billing.aggregates.administrator import AdministratorAdded
from billing.aggregates.event import Event
from billing.values import Refused


class TwoFactorEnabled(Event, frozen=True, kw_only=True):
    """Signing in requires a code from now on."""


class TwoFactorDisabled(Event, frozen=True, kw_only=True):
    """The administrator switched it off."""


class TwoFactorReset(Event, frozen=True, kw_only=True):
    """Another administrator removed it, because phone and recovery codes are lost."""


class TwoFactorDemanded(Event, frozen=True, kw_only=True):
    demanded: bool


class RecoveryCodesMade(Event, frozen=True, kw_only=True):
    """New recovery codes replace the old ones."""


class RecoveryCodeUsed(Event, frozen=True, kw_only=True):
    left: int  # number of unused codes


class SecondFactor(msgspec.Struct, frozen=True, kw_only=True):
    """Whether two-factor is enabled, and whether it is mandatory."""

    enabled: bool = False
    demanded: bool = False


def evolve(factor: SecondFactor | None, event: Event) -> SecondFactor | None:
    """Return the second factor after `event` of its administrator."""
    if factor is None:
        return SecondFactor() if isinstance(event, AdministratorAdded) else None
    match event:
        case TwoFactorEnabled():
            return msgspec.structs.replace(factor, enabled=True)
        case TwoFactorDisabled() | TwoFactorReset():
            return msgspec.structs.replace(factor, enabled=False)
        case TwoFactorDemanded(demanded=demanded):
            return msgspec.structs.replace(factor, demanded=demanded)
        case _:
            return factor


def enable(factor: SecondFactor) -> list[Event]:
    """Require a code from now on."""
    if factor.enabled:
        raise Refused("Two-factor is already on.")
    return [TwoFactorEnabled()]


def disable(factor: SecondFactor) -> list[Event]:
    """Stop requiring a code. Refused if two-factor is mandatory for this administrator."""
    _refuse_off(factor)
    if factor.demanded:
        raise Refused("Two-factor is mandatory for you and can't be switched off.")
    return [TwoFactorDisabled()]


def reset(factor: SecondFactor) -> list[Event]:
    """Remove it for an administrator who lost phone and recovery codes."""
    _refuse_off(factor)
    return [TwoFactorReset()]


def demand(factor: SecondFactor, *, demanded: bool) -> list[Event]:
    """Make it mandatory or optional. If mandatory and off, the next page asks to set it up."""
    return [] if demanded == factor.demanded else [TwoFactorDemanded(demanded=demanded)]


def renew_codes(factor: SecondFactor) -> list[Event]:
    """Record that the recovery codes were replaced."""
    _refuse_off(factor)
    return [RecoveryCodesMade()]


def use_code(factor: SecondFactor, *, left: int) -> list[Event]:
    """Record that a recovery code was used, and how many are left."""
    _refuse_off(factor)
    return [RecoveryCodeUsed(left=left)]


def _refuse_off(factor: SecondFactor) -> None:
    if not factor.enabled:
        raise Refused("Two-factor is off.")

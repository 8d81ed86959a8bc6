"""The second step of an administrator's sign-in, on the administrator's stream. Without secrets."""

import msgspec

from billing.aggregates.administrator import AdministratorAdded
from billing.aggregates.event import Event
from billing.values import Refused


class TwoFactorEnabled(Event, frozen=True, kw_only=True):
    """From now on signing in asks for a code."""


class TwoFactorDisabled(Event, frozen=True, kw_only=True):
    """Switched off by whose it was."""


class TwoFactorReset(Event, frozen=True, kw_only=True):
    """Taken away by somebody else, who was told that phone and codes are lost."""


class TwoFactorDemanded(Event, frozen=True, kw_only=True):
    demanded: bool


class RecoveryCodesMade(Event, frozen=True, kw_only=True):
    """New ones; those before are good for nothing."""


class RecoveryCodeUsed(Event, frozen=True, kw_only=True):
    left: int  # how many are still good


class SecondFactor(msgspec.Struct, frozen=True, kw_only=True):
    enabled: bool = False
    demanded: bool = False


def evolve(factor: SecondFactor | None, event: Event) -> SecondFactor | None:
    """The second factor after `event` of its administrator."""
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
    """Ask for a code from now on."""
    if factor.enabled:
        raise Refused("Two-factor is on already.")
    return [TwoFactorEnabled()]


def disable(factor: SecondFactor) -> list[Event]:
    """Ask for no code any more."""
    _refuse_off(factor)
    if factor.demanded:
        raise Refused("Two-factor is required of you and can't be switched off.")
    return [TwoFactorDisabled()]


def reset(factor: SecondFactor) -> list[Event]:
    """Take it from somebody who lost phone and codes."""
    _refuse_off(factor)
    return [TwoFactorReset()]


def demand(factor: SecondFactor, *, demanded: bool) -> list[Event]:
    """Require it of somebody, or no more. Who has none yet must set it up at the next page."""
    return [] if demanded == factor.demanded else [TwoFactorDemanded(demanded=demanded)]


def renew_codes(factor: SecondFactor) -> list[Event]:
    """Replace the recovery codes."""
    _refuse_off(factor)
    return [RecoveryCodesMade()]


def use_code(factor: SecondFactor, *, left: int) -> list[Event]:
    """Note that a recovery code was used, and how many are left."""
    _refuse_off(factor)
    return [RecoveryCodeUsed(left=left)]


def _refuse_off(factor: SecondFactor) -> None:
    if not factor.enabled:
        raise Refused("Two-factor is off.")

"""What companies, user accounts and gateway accounts share: a wallet that can be put on hold."""

from typing import Self, TypeVar

import msgspec

from billing.aggregates.event import Event
from billing.values import Money, Refused


class AccountRecharged(Event, frozen=True, kw_only=True):
    amount_micros: int
    currency: str
    reason: str
    reference: str = ""


class AccountFrozen(Event, frozen=True, kw_only=True):
    reason: str


class AccountUnfrozen(Event, frozen=True, kw_only=True):
    reason: str


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an account's state that decisions on its wallet need."""

    currency: str
    frozen: bool = False
    references: frozenset[str] = frozenset()  # of recharges, so that none is posted twice

    def changed(self, **fields: object) -> Self:
        """This account with some fields replaced."""
        return msgspec.structs.replace(self, **fields)


T = TypeVar("T", bound="Account")


def evolve_wallet(account: T, event: Event) -> T:
    """The account after an event of its wallet; unchanged by any other event."""
    match event:
        case AccountRecharged(reference=reference) if reference:
            return account.changed(references=account.references | {reference})
        case AccountFrozen():
            return account.changed(frozen=True)
        case AccountUnfrozen():
            return account.changed(frozen=False)
        case _:
            return account


def recharge(account: Account, amount: Money, reason: str, reference: str = "") -> list[Event]:
    """Put `amount` on the account. Refused for another currency, nothing, or a repeat."""
    if amount.currency != account.currency or amount.micros <= 0:
        raise Refused("A recharge is a positive amount in %(currency)s.", currency=account.currency)
    if reference in account.references:
        raise Refused("A recharge with the reference %(ref)s was already made.", ref=reference)
    return [
        AccountRecharged(
            amount_micros=amount.micros,
            currency=amount.currency,
            reason=reason,
            reference=reference,
        )
    ]


def freeze(account: Account, reason: str) -> list[Event]:
    """Put the account on hold; calls that still arrive are charged and flagged."""
    if account.frozen:
        raise Refused("This account is already frozen.")
    if not reason.strip():
        raise Refused("A freeze needs a reason.")
    return [AccountFrozen(reason=reason)]


def unfreeze(account: Account, reason: str) -> list[Event]:
    """Lift the hold."""
    if not account.frozen:
        raise Refused("This account is not frozen.")
    return [AccountUnfrozen(reason=reason)]

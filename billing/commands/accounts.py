"""Commands on the wallet that all three kinds of account share, and on the account's state."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from billing.aggregates import account, company, sub_account
from billing.aggregates.account import Account, Limits
from billing.aggregates.event import Envelope, Event
from billing.aggregates.statement import StatementClosed, StatementRounded
from billing.commands.deciding import ADDING, ATTEMPTS, Step, decide, decide_many, require
from billing.log.store import Recorded, Store
from billing.values import Money, Refused

# Events that may be appended to a wallet while somebody edits its settings, without a conflict.
MOVEMENTS = (
    account.AccountRecharged,
    account.RechargeReversed,
    account.AccountAdjusted,
    account.LowBalanceWarned,
    account.LowBalanceOver,
    StatementRounded,
    StatementClosed,
)


class RechargeAccount(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    amount: Money
    reason: str
    reference: str = ""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `recharge_once`: the recharge that has the reference."""

    version: int  # in the account's stream; ReverseRecharge needs it
    position: int
    made: bool  # whether this request made it; False for a repeat


class ReferenceUsed(Refused):
    """The reference of a recharge was used, and no recharge with this amount has effect."""


class UsedOtherwise(ReferenceUsed):
    """It was used for another amount."""

    def __init__(self, reference: str) -> None:
        super().__init__("The reference %(ref)s was used for another amount.", ref=reference)


class ReversedSince(ReferenceUsed):
    """Its recharge was reversed."""

    def __init__(self, reference: str) -> None:
        super().__init__("The recharge with the reference %(ref)s was reversed.", ref=reference)


class RechargeAccounts(msgspec.Struct, frozen=True, kw_only=True):
    """Many recharges, applied all or none."""

    recharges: tuple[RechargeAccount, ...]


class ReverseRecharge(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    version: int  # of the recharge, in the account's stream
    reason: str


class AdjustAccount(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    amount: Money
    reason: str
    reference: str = ""


class SetLimits(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    limits: Limits
    seen: int | None = None  # the version shown to the person who edits


class FreezeAccount(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    reason: str


class UnfreezeAccount(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    reason: str


class CloseAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Close an account; `settlement`, if given, adjusts its balance in the same transaction."""

    account: str
    reason: str
    settlement: Money | None = None


class ApplyLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Accounts to check, with their balances in micro-units."""

    balances: tuple[tuple[str, int], ...]


EVOLVE: dict[str, Callable[..., Any]] = {
    "company": company.evolve,
    "user": sub_account.evolve,
    "gateway": sub_account.evolve,
}


def evolve_of(account_id: str) -> Callable[..., Any]:
    """Return the fold of an account's kind. Refused for an id that is not an account's."""
    kind = account_id.partition(":")[0]
    if kind not in EVOLVE:
        raise Refused("%(account)s is not an account.", account=account_id)
    return EVOLVE[kind]


def _decide(
    store: Store,
    account_id: str,
    decision: Callable[[Account], Sequence[Event]],
    envelope: Envelope,
    attempts: int = ATTEMPTS,
) -> int:
    evolve = evolve_of(account_id)
    return decide(store, account_id, evolve, decision, envelope, attempts=attempts)


def recharge(store: Store, command: RechargeAccount, envelope: Envelope) -> int:
    """Recharge an account; return the position of the event."""
    return _decide(
        store, command.account, lambda state: _recharged(state, command), envelope, ADDING
    )


def recharge_once(store: Store, command: RechargeAccount, envelope: Envelope) -> Receipt:
    """Recharge an account idempotently: `reference` identifies the recharge.

    Raises UsedOtherwise if the reference was used for another amount, and ReversedSince if its
    recharge was reversed.
    """
    if not command.reference:
        raise Refused("A recharge by a program needs a reference.")
    position = 0
    try:
        position = recharge(store, command, envelope)
    except Refused:
        found = _with_reference(store, command)
        if not found:
            raise
    else:
        found = _with_reference(store, command)
    (recorded, event), *reversals = found
    made = recorded.position == position
    if Money(event.amount_micros, event.currency) != command.amount:
        raise UsedOtherwise(command.reference)
    if reversals and not made:
        raise ReversedSince(command.reference)
    return Receipt(version=recorded.version, position=recorded.position, made=made)


def _with_reference(
    store: Store, command: RechargeAccount
) -> list[tuple[Recorded, account.AccountRecharged | account.RechargeReversed]]:
    """Return the recharge with the reference, then its reversal; less if there is less."""
    found = list[tuple[Recorded, account.AccountRecharged | account.RechargeReversed]]()
    for recorded in store.load(command.account):
        match recorded.event:
            case account.AccountRecharged(reference=command.reference) as event:
                found.append((recorded, event))
            case account.RechargeReversed(recharge_version=version) as event:
                if found and version == found[0][0].version:
                    found.append((recorded, event))
    return found


def recharge_many(store: Store, command: RechargeAccounts, envelope: Envelope) -> int:
    """Recharge many accounts, all or none.

    Raises RowsRefused with the index of each refused one.
    """
    steps = [
        Step(each.account, evolve_of(each.account), _recharging(each), place)
        for place, each in enumerate(command.recharges)
    ]
    return decide_many(store, steps, envelope, attempts=ADDING)


def _recharging(command: RechargeAccount) -> Callable[[Account | None], list[Event]]:
    return lambda state: _recharged(require(state, command.account), command)


def _recharged(state: Account, command: RechargeAccount) -> list[Event]:
    return account.recharge(state, command.amount, command.reason, command.reference)


def reverse_recharge(store: Store, command: ReverseRecharge, envelope: Envelope) -> int:
    """Reverse a recharge; return the position of the event."""
    return _decide(
        store,
        command.account,
        lambda state: account.reverse_recharge(state, command.version, command.reason),
        envelope,
    )


def adjust(store: Store, command: AdjustAccount, envelope: Envelope) -> int:
    """Correct a balance; return the position of the event."""
    return _decide(
        store,
        command.account,
        lambda state: account.adjust(state, command.amount, command.reason, command.reference),
        envelope,
    )


def set_limits(store: Store, command: SetLimits, envelope: Envelope) -> int:
    """Set the limits that the policy enforces. Raises Overtaken if they changed since `seen`."""
    return decide(
        store,
        command.account,
        evolve_of(command.account),
        lambda state: account.set_limits(state, command.limits),
        envelope,
        seen=command.seen,
        ignored=MOVEMENTS,
    )


def freeze(store: Store, command: FreezeAccount, envelope: Envelope) -> int:
    """Freeze an account; return the position of the event."""
    return _decide(
        store, command.account, lambda state: account.freeze(state, command.reason), envelope
    )


def unfreeze(store: Store, command: UnfreezeAccount, envelope: Envelope) -> int:
    """Unfreeze an account; return the position of the event."""
    return _decide(
        store, command.account, lambda state: account.unfreeze(state, command.reason), envelope
    )


def close(store: Store, command: CloseAccount, envelope: Envelope) -> int:
    """Close an account permanently; return the position of the event."""
    return _decide(
        store,
        command.account,
        lambda state: account.close(state, command.reason, command.settlement),
        envelope,
    )


def apply_limits(store: Store, command: ApplyLimits, envelope: Envelope) -> int:
    """Warn about, freeze or unfreeze accounts by their balances; return the last position, or 0."""
    steps = [
        Step(account_id, evolve_of(account_id), partial(account.apply_limits, balance_micros=each))
        for account_id, each in command.balances
    ]
    return decide_many(store, steps, envelope)

"""The wallet, as companies, user accounts and gateway accounts share it."""

from collections.abc import Callable
from typing import Self, TypeVar

import msgspec

from billing.aggregates.event import Event
from billing.aggregates.reason import needed, trimmed
from billing.aggregates.statement import StatementClosed
from billing.values import Money, Refused, is_email, refuse_finer


class AccountRecharged(Event, frozen=True, kw_only=True):
    amount_micros: int
    currency: str
    reason: str
    reference: str = ""


class RechargeReversed(Event, frozen=True, kw_only=True):
    """A recharge is reversed in full. `recharge_version` is its event's version in the stream."""

    recharge_version: int
    amount_micros: int  # of the recharge, positive
    currency: str
    reason: str


class AccountAdjusted(Event, frozen=True, kw_only=True):
    amount_micros: int  # positive in the account's favour
    currency: str
    reason: str
    reference: str = ""


class LimitsSet(Event, frozen=True, kw_only=True):
    """Set the limits that the policy enforces (policies/limits.py)."""

    credit_limit_micros: int | None  # allowed debt; None: unlimited
    low_balance_micros: int | None  # below this balance a warning is sent; None: never
    freeze_at_limit: bool
    warn_email: str = ""


class LowBalanceWarned(Event, frozen=True, kw_only=True):
    balance_micros: int
    threshold_micros: int


class LowBalanceOver(Event, frozen=True, kw_only=True):
    """The balance is at or above the threshold again; the next crossing warns again."""

    balance_micros: int


class AccountFrozen(Event, frozen=True, kw_only=True):
    reason: str


class AccountUnfrozen(Event, frozen=True, kw_only=True):
    reason: str


class AccountFrozenByPolicy(Event, frozen=True, kw_only=True):
    balance_micros: int
    limit_micros: int  # the lowest balance allowed


class AccountUnfrozenByPolicy(Event, frozen=True, kw_only=True):
    balance_micros: int


class AccountClosed(Event, frozen=True, kw_only=True):
    reason: str


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits that the policy enforces, in micro-units; see `LimitsSet`."""

    credit_limit_micros: int | None = None
    low_balance_micros: int | None = None
    freeze_at_limit: bool = False
    warn_email: str = ""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an account's state that decisions on its wallet need."""

    currency: str
    own_wallet: bool = True  # False: a sub-account whose calls its company pays
    version: int = 1  # number of events in its stream
    frozen: bool = False
    frozen_by_policy: bool = False
    warned: bool = False
    closed: bool = False
    limits: Limits = Limits()
    references: frozenset[str] = frozenset()  # of recharges and adjustments, to post none twice
    recharges: dict[int, int] = {}  # version -> amount, of recharges that were not reversed
    last_statement: str = ""  # month of the last closed statement, "2026-10"

    def changed(self, **fields: object) -> Self:
        """Return a copy with these fields replaced."""
        return msgspec.structs.replace(self, **fields)


class Standing(msgspec.Struct, frozen=True):
    """Whether an account is open, frozen or closed, and why it is frozen."""

    state: str  # open, frozen, closed
    frozen_by_policy: bool = False
    frozen_reason: str = ""


def standing_after(event: Event) -> Standing | None:
    """Return the standing that an event gives an account that is not closed; None for others.

    A closed account stays closed: neither `evolve_wallet` nor the read model applies a later one.
    """
    match event:
        case AccountFrozen(reason=reason):
            return Standing("frozen", frozen_reason=reason)
        case AccountFrozenByPolicy():
            return Standing("frozen", frozen_by_policy=True)
        case AccountUnfrozen() | AccountUnfrozenByPolicy():
            return Standing("open")
        case AccountClosed():
            return Standing("closed")
        case _:
            return None


T = TypeVar("T", bound="Account")


def counting(
    evolve: Callable[[T | None, Event], T | None],
) -> Callable[[T | None, Event], T | None]:
    """Wrap `evolve` to count the events of the state: a recharge is identified by its version."""

    def evolve_and_count(account: T | None, event: Event) -> T | None:
        after = evolve(account, event)
        return after.changed(version=account.version + 1) if after and account else after

    return evolve_and_count


def evolve_wallet(account: T, event: Event) -> T:
    """Apply an event of the wallet; return the account unchanged for any other event."""
    match event:
        case AccountRecharged(reference=reference, amount_micros=amount):
            return account.changed(
                references=account.references | {reference} if reference else account.references,
                recharges={**account.recharges, account.version + 1: amount},
            )
        case RechargeReversed(recharge_version=version):
            left = {key: value for key, value in account.recharges.items() if key != version}
            return account.changed(recharges=left)
        case AccountAdjusted(reference=reference) if reference:
            return account.changed(references=account.references | {reference})
        case StatementClosed(month=month):
            return account.changed(last_statement=month)
        case _:
            return _evolve_state(account, event)


def _evolve_state(account: T, event: Event) -> T:
    fields: dict[str, object] = {}
    if standing := standing_after(event):
        if not account.closed:
            fields = {
                "closed": standing.state == "closed",
                "frozen": standing.state == "frozen",
                "frozen_by_policy": standing.frozen_by_policy,
            }
    elif isinstance(event, LimitsSet):
        fields = {"limits": Limits(**msgspec.structs.asdict(event))}
    elif isinstance(event, LowBalanceWarned | LowBalanceOver):
        fields = {"warned": isinstance(event, LowBalanceWarned)}
    return account.changed(**fields) if fields else account


def recharge(account: Account, amount: Money, reason: str, reference: str = "") -> list[Event]:
    """Credit `amount`.

    Refused if it is not positive, finer than its currency or in another one, if the reference is
    used, or if the account is closed.
    """
    _refuse_closed(account)
    _refuse_without_wallet(account)
    if amount.currency != account.currency or amount.micros <= 0:
        raise Refused("A recharge is a positive amount in %(currency)s.", currency=account.currency)
    refuse_finer(amount)
    if reference in account.references:
        raise Refused("A recharge with the reference %(ref)s was already made.", ref=reference)
    return [
        AccountRecharged(
            amount_micros=amount.micros,
            currency=amount.currency,
            reason=trimmed(reason),
            reference=reference,
        )
    ]


def reverse_recharge(account: Account, version: int, reason: str) -> list[Event]:
    """Reverse a recharge in full; `version` is that of its event in the account's stream.

    The recharge of a closed account can be reversed too.
    """
    _refuse_without_wallet(account)
    if version not in account.recharges:
        raise Refused("This recharge was already reversed, or never made.")
    return [
        RechargeReversed(
            recharge_version=version,
            amount_micros=account.recharges[version],
            currency=account.currency,
            reason=needed(reason),
        )
    ]


def adjust(account: Account, amount: Money, reason: str, reference: str = "") -> list[Event]:
    """Correct the balance by `amount`, up or down, also that of a closed account.

    Refused for zero, for another currency and for an amount that is finer than the currency.
    """
    _refuse_without_wallet(account)
    if amount.currency != account.currency or not amount.micros:
        raise Refused(
            "An adjustment is an amount in %(currency)s, not zero.", currency=account.currency
        )
    refuse_finer(amount)
    if reference and reference in account.references:
        raise Refused("A recharge with the reference %(ref)s was already made.", ref=reference)
    return [
        AccountAdjusted(
            amount_micros=amount.micros,
            currency=amount.currency,
            reason=needed(reason),
            reference=reference,
        )
    ]


def set_limits(account: Account, limits: Limits) -> list[Event]:
    """Set the limits that the policy enforces; return no event if nothing changes."""
    _refuse_closed(account)
    _refuse_without_wallet(account)
    if limits.credit_limit_micros is not None and limits.credit_limit_micros < 0:
        raise Refused("A credit limit can't be negative.")
    for micros in (limits.credit_limit_micros, limits.low_balance_micros):
        refuse_finer(Money(micros or 0, account.currency))
    if limits.freeze_at_limit and limits.credit_limit_micros is None:
        raise Refused("Without a credit limit the account can't be frozen at it.")
    if limits.warn_email and not is_email(limits.warn_email):
        raise Refused("%(text)s is not an e-mail address.", text=repr(limits.warn_email))
    if limits == account.limits:
        return []
    return [LimitsSet(**msgspec.structs.asdict(limits))]


def freeze(account: Account, reason: str) -> list[Event]:
    """Freeze the account; calls that still arrive are charged and flagged."""
    _refuse_closed(account)
    if account.frozen and not account.frozen_by_policy:
        raise Refused("This account is already frozen.")
    return [AccountFrozen(reason=needed(reason))]


def unfreeze(account: Account, reason: str) -> list[Event]:
    """Unfreeze the account. Refused if it is closed."""
    _refuse_closed(account)
    if not account.frozen:
        raise Refused("This account is not frozen.")
    return [AccountUnfrozen(reason=trimmed(reason))]


def apply_limits(account: Account, balance_micros: int) -> list[Event]:
    """Decide what the policy does at this balance: warn, freeze, or undo its own freeze."""
    limits, events = account.limits, list[Event]()
    threshold = limits.low_balance_micros
    if account.closed:
        return []
    if threshold is not None and balance_micros < threshold and not account.warned:
        events.append(LowBalanceWarned(balance_micros=balance_micros, threshold_micros=threshold))
    elif account.warned and (threshold is None or balance_micros >= threshold):
        events.append(LowBalanceOver(balance_micros=balance_micros))
    least = floor_of(limits)
    if least is not None and balance_micros < least and not account.frozen:
        events.append(AccountFrozenByPolicy(balance_micros=balance_micros, limit_micros=least))
    elif account.frozen_by_policy and (least is None or balance_micros >= least):
        events.append(AccountUnfrozenByPolicy(balance_micros=balance_micros))
    return events


def floor_of(limits: Limits) -> int | None:
    """Return the balance in micro-units below which the policy freezes; None: it never freezes."""
    if not limits.freeze_at_limit or limits.credit_limit_micros is None:
        return None
    return -limits.credit_limit_micros


def close(account: Account, reason: str, settlement: Money | None = None) -> list[Event]:
    """Close the account permanently; calls that still arrive are charged and flagged.

    `settlement` adjusts the balance first: negative for money given back, positive for debt that is
    written off.
    """
    _refuse_closed(account)
    closed = AccountClosed(reason=needed(reason))
    settled = adjust(account, settlement, reason) if settlement else []
    return [*settled, closed]


def _refuse_closed(account: Account) -> None:
    if account.closed:
        raise Refused("This account is closed.")


def _refuse_without_wallet(account: Account) -> None:
    if not account.own_wallet:
        raise Refused("This account has no balance of its own; its company pays.")

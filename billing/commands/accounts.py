"""Commands on the accounts of a company, and on the wallet that all three kinds of account have."""

from collections.abc import Callable
from typing import Any

import msgspec

from billing.aggregates import account, company, gateway_account, user_account
from billing.aggregates.event import Envelope
from billing.commands.deciding import decide, decide_new, existing
from billing.store import Store
from billing.values import Money, Refused


class OpenSubAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Of a user ('user:…') or a gateway ('gateway:…')."""

    account: str
    company_id: str
    name: str
    own_wallet: bool = False


class RechargeAccount(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    amount: Money
    reason: str
    reference: str = ""


class FreezeAccount(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    reason: str


class UnfreezeAccount(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    reason: str


_EVOLVE: dict[str, Callable[..., Any]] = {
    "company": company.evolve,
    "user": user_account.evolve,
    "gateway": gateway_account.evolve,
}
_OPEN: dict[str, Callable[..., Any]] = {
    "user": user_account.open_user_account,
    "gateway": gateway_account.open_gateway_account,
}


def _kind(account_id: str) -> str:
    kind = account_id.partition(":")[0]
    if kind not in _EVOLVE:
        raise Refused("%(account)s is not an account.", account=account_id)
    return kind


def open_sub_account(store: Store, command: OpenSubAccount, envelope: Envelope) -> int:
    """Open a user or gateway account, in the currency of its company."""
    kind = _kind(command.account)
    owner = existing(store, f"company:{command.company_id}", company.evolve)
    return decide_new(
        store,
        command.account,
        _EVOLVE[kind],
        lambda state: _OPEN[kind](
            state,
            company_id=command.company_id,
            name=command.name,
            currency=owner.currency,
            own_wallet=command.own_wallet,
        ),
        envelope,
    )


def recharge(store: Store, command: RechargeAccount, envelope: Envelope) -> int:
    """Put money on an account."""
    return decide(
        store,
        command.account,
        _EVOLVE[_kind(command.account)],
        lambda state: account.recharge(state, command.amount, command.reason, command.reference),
        envelope,
    )


def freeze(store: Store, command: FreezeAccount, envelope: Envelope) -> int:
    """Put an account on hold."""
    return decide(
        store,
        command.account,
        _EVOLVE[_kind(command.account)],
        lambda state: account.freeze(state, command.reason),
        envelope,
    )


def unfreeze(store: Store, command: UnfreezeAccount, envelope: Envelope) -> int:
    """Lift the hold of an account."""
    return decide(
        store,
        command.account,
        _EVOLVE[_kind(command.account)],
        lambda state: account.unfreeze(state, command.reason),
        envelope,
    )

"""Sub-accounts of a company: user accounts hold extensions, gateway accounts hold trunks.

Both are opened, renamed and charged alike; only their opening events differ.
"""

from billing.aggregates.account import Account, counting, evolve_wallet
from billing.aggregates.event import Event
from billing.values import Refused


class UserAccountOpened(Event, frozen=True, kw_only=True):
    company_id: str
    name: str
    currency: str
    own_wallet: bool = False


class GatewayAccountOpened(Event, frozen=True, kw_only=True):
    company_id: str
    name: str
    currency: str
    own_wallet: bool = False


class SubAccountRenamed(Event, frozen=True, kw_only=True):
    name: str


class SubAccount(Account, frozen=True, kw_only=True):
    """The state of a user account or a gateway account."""

    company_id: str
    name: str


Opening = type[UserAccountOpened] | type[GatewayAccountOpened]


@counting
def evolve(account: SubAccount | None, event: Event) -> SubAccount | None:
    """Return the sub-account after `event`; None before its opening."""
    match event:
        case UserAccountOpened() | GatewayAccountOpened():
            return SubAccount(
                company_id=event.company_id,
                name=event.name,
                currency=event.currency,
                own_wallet=event.own_wallet,
            )
        case SubAccountRenamed() if account:
            return account.changed(name=event.name)
        case _:
            return account and evolve_wallet(account, event)


def open_sub_account(
    account: SubAccount | None,
    opening: Opening,
    *,
    company_id: str,
    name: str,
    currency: str,
    own_wallet: bool,
) -> list[Event]:
    """Open a user account or a gateway account. Without its own wallet the company pays."""
    if account:
        raise Refused("This account is already open.")
    if not name.strip():
        raise Refused("An account needs a name.")
    return [
        opening(company_id=company_id, name=name.strip(), currency=currency, own_wallet=own_wallet)
    ]


def rename(account: SubAccount, name: str) -> list[Event]:
    """Rename the account. Refused if it is closed or the name is empty."""
    if account.closed:
        raise Refused("This account is closed.")
    if not name.strip():
        raise Refused("An account needs a name.")
    return [] if name.strip() == account.name else [SubAccountRenamed(name=name.strip())]

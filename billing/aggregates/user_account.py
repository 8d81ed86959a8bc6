"""A user account: a sub-account of one company that extensions are assigned to."""

from billing.aggregates.account import Account, evolve_wallet
from billing.aggregates.event import Event
from billing.values import Refused


class UserAccountOpened(Event, frozen=True, kw_only=True):
    company_id: str
    name: str
    currency: str
    own_wallet: bool = False


class UserAccount(Account, frozen=True, kw_only=True):
    company_id: str


def evolve(account: UserAccount | None, event: Event) -> UserAccount | None:
    """The user account after `event`."""
    match event:
        case UserAccountOpened(company_id=company_id, currency=currency):
            return UserAccount(company_id=company_id, currency=currency)
        case _:
            return account and evolve_wallet(account, event)


def open_user_account(
    account: UserAccount | None, *, company_id: str, name: str, currency: str, own_wallet: bool
) -> list[Event]:
    """Open a user account; without a wallet of its own the company pays."""
    if account:
        raise Refused("This user account is already open.")
    if not name.strip():
        raise Refused("A user account needs a name.")
    return [
        UserAccountOpened(
            company_id=company_id, name=name.strip(), currency=currency, own_wallet=own_wallet
        )
    ]

"""What user accounts and gateway accounts share: they belong to one company, which may pay."""

from billing.aggregates.account import Account, evolve_wallet
from billing.aggregates.event import Event
from billing.values import Refused


class SubAccountRenamed(Event, frozen=True, kw_only=True):
    name: str


class SubAccount(Account, frozen=True, kw_only=True):
    company_id: str
    name: str


def evolve_sub_account(account: SubAccount, event: Event) -> SubAccount:
    """The account after an event that is not its opening."""
    if isinstance(event, SubAccountRenamed):
        return account.changed(name=event.name)
    return evolve_wallet(account, event)


def rename(account: SubAccount, name: str) -> list[Event]:
    """Call the account something else."""
    if account.closed:
        raise Refused("This account is closed.")
    if not name.strip():
        raise Refused("An account needs a name.")
    return [] if name.strip() == account.name else [SubAccountRenamed(name=name.strip())]

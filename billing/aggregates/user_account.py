"""A user account: a sub-account of one company that extensions are assigned to."""

from billing.aggregates.account import counting
from billing.aggregates.event import Event
from billing.aggregates.sub_account import SubAccount, evolve_sub_account
from billing.values import Refused


class UserAccountOpened(Event, frozen=True, kw_only=True):
    company_id: str
    name: str
    currency: str
    own_wallet: bool = False


@counting
def evolve(account: SubAccount | None, event: Event) -> SubAccount | None:
    """The user account after `event`."""
    match event:
        case UserAccountOpened():
            return SubAccount(
                company_id=event.company_id,
                name=event.name,
                currency=event.currency,
                own_wallet=event.own_wallet,
            )
        case _:
            return account and evolve_sub_account(account, event)


def open_user_account(
    account: SubAccount | None, *, company_id: str, name: str, currency: str, own_wallet: bool
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

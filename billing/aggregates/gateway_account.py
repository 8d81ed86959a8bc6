"""A gateway account: a sub-account that pays for the calls relayed through a trunk."""

from billing.aggregates.account import counting
from billing.aggregates.event import Event
from billing.aggregates.sub_account import SubAccount, evolve_sub_account
from billing.values import Refused


class GatewayAccountOpened(Event, frozen=True, kw_only=True):
    company_id: str
    name: str
    currency: str
    own_wallet: bool = False


@counting
def evolve(account: SubAccount | None, event: Event) -> SubAccount | None:
    """The gateway account after `event`."""
    match event:
        case GatewayAccountOpened():
            return SubAccount(
                company_id=event.company_id,
                name=event.name,
                currency=event.currency,
                own_wallet=event.own_wallet,
            )
        case _:
            return account and evolve_sub_account(account, event)


def open_gateway_account(
    account: SubAccount | None, *, company_id: str, name: str, currency: str, own_wallet: bool
) -> list[Event]:
    """Open a gateway account; without a wallet of its own the company pays."""
    if account:
        raise Refused("This gateway account is already open.")
    if not name.strip():
        raise Refused("A gateway account needs a name.")
    return [
        GatewayAccountOpened(
            company_id=company_id, name=name.strip(), currency=currency, own_wallet=own_wallet
        )
    ]

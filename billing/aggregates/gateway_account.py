"""A gateway account: a sub-account that pays for the calls relayed through a trunk."""

from billing.aggregates.account import Account, evolve_wallet
from billing.aggregates.event import Event
from billing.values import Refused


class GatewayAccountOpened(Event, frozen=True, kw_only=True):
    company_id: str
    name: str
    currency: str
    own_wallet: bool = False


class GatewayAccount(Account, frozen=True, kw_only=True):
    company_id: str


def evolve(account: GatewayAccount | None, event: Event) -> GatewayAccount | None:
    """The gateway account after `event`."""
    match event:
        case GatewayAccountOpened(company_id=company_id, currency=currency):
            return GatewayAccount(company_id=company_id, currency=currency)
        case _:
            return account and evolve_wallet(account, event)


def open_gateway_account(
    account: GatewayAccount | None, *, company_id: str, name: str, currency: str, own_wallet: bool
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

"""Commands on companies."""

from datetime import datetime

import msgspec
from babel.numbers import list_currencies

from billing.aggregates import company, rate_group
from billing.aggregates.event import Envelope
from billing.commands.accounts import MOVEMENTS
from billing.commands.deciding import decide, decide_new, load_existing
from billing.log.store import Store


class OpenCompany(msgspec.Struct, frozen=True, kw_only=True):
    company_id: str
    name: str
    currency: str
    time_zone: str
    payment: str = "postpaid"
    credit_limit_micros: int = 0


class ChangeCompany(msgspec.Struct, frozen=True, kw_only=True):
    company_id: str
    name: str
    time_zone: str
    payment: str
    seen: int | None = None  # the version shown to the person who edits


class BindRateGroup(msgspec.Struct, frozen=True, kw_only=True):
    company_id: str
    group_id: str
    valid_from: datetime | None = None


def open_company(store: Store, command: OpenCompany, envelope: Envelope) -> int:
    """Open a company account; return the position of the event."""
    return decide_new(
        store,
        f"company:{command.company_id}",
        company.evolve,
        lambda state: company.open_company(
            state,
            name=command.name,
            currency=command.currency,
            time_zone=command.time_zone,
            payment=command.payment,
            credit_limit_micros=command.credit_limit_micros,
            currencies=list_currencies(),
        ),
        envelope,
    )


def change_company(store: Store, command: ChangeCompany, envelope: Envelope) -> int:
    """Change name, zone or payment. Raises Overtaken if somebody else changed them since `seen`."""
    return decide(
        store,
        f"company:{command.company_id}",
        company.evolve,
        lambda state: company.change_company(
            state, name=command.name, time_zone=command.time_zone, payment=command.payment
        ),
        envelope,
        seen=command.seen,
        ignored=MOVEMENTS,
    )


def bind_rate_group(store: Store, command: BindRateGroup, envelope: Envelope) -> int:
    """Bind a rate group to a company from `valid_from` on; return the position of the event."""
    group = load_existing(store, f"rate-group:{command.group_id}", rate_group.evolve)
    return decide(
        store,
        f"company:{command.company_id}",
        company.evolve,
        lambda state: company.bind_rate_group(
            state,
            group_id=command.group_id,
            group_currency=group.currency,
            valid_from=command.valid_from,
        ),
        envelope,
    )

"""Commands on rate groups and the number plan."""

import msgspec
from babel.numbers import list_currencies

from billing.aggregates import number_plan, rate_group
from billing.aggregates.event import Envelope
from billing.commands.deciding import decide, decide_new
from billing.rating.plan import PlanEntry
from billing.rating.rates import Rate, Tier
from billing.store import Store
from billing.values import Refused


class CreateRateGroup(msgspec.Struct, frozen=True, kw_only=True):
    group_id: str
    name: str
    currency: str


class ChangeRates(msgspec.Struct, frozen=True, kw_only=True):
    group_id: str
    rates: tuple[Rate, ...]


class ReplaceNumberPlan(msgspec.Struct, frozen=True, kw_only=True):
    layer: str  # 'number-plan:seed', 'number-plan:imported' or 'number-plan:<company id>'
    entries: tuple[PlanEntry, ...]


def default_rates() -> tuple[Rate, ...]:
    """What every new group begins with: `local` and `inter`, free until somebody prices them."""
    free = (Tier(from_s=0, price="0", unit_s=60, increment_s=1),)
    return (
        Rate(name="local", call_class="local", tiers=free),
        Rate(name="inter", call_class="internal", tiers=free),
    )


def create_rate_group(store: Store, command: CreateRateGroup, envelope: Envelope) -> int:
    """Create a group with its default rates."""
    if command.currency not in list_currencies():
        raise Refused("%(code)s is not a currency code.", code=command.currency)
    return decide_new(
        store,
        f"rate-group:{command.group_id}",
        rate_group.evolve,
        lambda state: rate_group.create_rate_group(
            state, name=command.name, currency=command.currency, defaults=default_rates()
        ),
        envelope,
    )


def change_rates(store: Store, command: ChangeRates, envelope: Envelope) -> int:
    """Set prices of a group: one event for all of them."""
    return decide(
        store,
        f"rate-group:{command.group_id}",
        rate_group.evolve,
        lambda state: rate_group.change_rates(state, command.rates),
        envelope,
    )


def replace_number_plan(store: Store, command: ReplaceNumberPlan, envelope: Envelope) -> int:
    """Replace one layer of the number plan."""
    return decide_new(
        store,
        command.layer,
        number_plan.evolve,
        lambda state: number_plan.replace_number_plan(state, command.entries),
        envelope,
    )

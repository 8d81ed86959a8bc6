"""Commands on the number plan."""

import msgspec

from billing.aggregates import number_plan
from billing.aggregates.event import Envelope
from billing.commands.deciding import decide_new
from billing.log.store import Store
from billing.rating.number_plan import PlanEntry


class ReplaceNumberPlan(msgspec.Struct, frozen=True, kw_only=True):
    layer: str  # 'number-plan:seed', 'number-plan:imported' or 'number-plan:<company id>'
    entries: tuple[PlanEntry, ...]


class ChangeNumberPlan(msgspec.Struct, frozen=True, kw_only=True):
    layer: str
    entries: tuple[PlanEntry, ...] = ()
    removed: tuple[number_plan.PlanKey, ...] = ()


def change_number_plan(store: Store, command: ChangeNumberPlan, envelope: Envelope) -> int:
    """Set some entries of a layer of the number plan and remove others."""
    return decide_new(
        store,
        command.layer,
        number_plan.evolve,
        lambda state: number_plan.change_number_plan(
            state, entries=command.entries, removed=command.removed
        ),
        envelope,
    )


def replace_number_plan(store: Store, command: ReplaceNumberPlan, envelope: Envelope) -> int:
    """Replace all entries of a layer of the number plan."""
    return decide_new(
        store,
        command.layer,
        number_plan.evolve,
        lambda state: number_plan.replace_number_plan(state, command.entries),
        envelope,
    )

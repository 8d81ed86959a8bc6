"""A number plan: which area and type a prefix belongs to; seed, imported, or a company's own."""

import msgspec

from billing.aggregates.event import Event
from billing.rating.plan import PlanEntry
from billing.values import Refused, is_digits

SEED, IMPORTED = "number-plan:seed", "number-plan:imported"
TYPES = (
    "landline",
    "mobile",
    "toll_free",
    "shared_cost",
    "premium",
    "special",
    "emergency",
    "satellite",
)


class NumberPlanReplaced(Event, frozen=True, kw_only=True):
    """The whole plan of this layer from now on."""

    entries: tuple[PlanEntry, ...]


class NumberPlan(msgspec.Struct, frozen=True):
    entries: int = 0


def evolve(plan: NumberPlan | None, event: Event) -> NumberPlan | None:
    """The plan after `event`."""
    match event:
        case NumberPlanReplaced(entries=entries):
            return NumberPlan(len(entries))
        case _:
            return plan


def replace_number_plan(_plan: NumberPlan | None, entries: tuple[PlanEntry, ...]) -> list[Event]:
    """Replace a layer of the number plan. Refused as a whole, naming the first wrong entry."""
    for entry in entries:
        if not is_digits(entry.prefix):
            raise Refused("The prefix %(prefix)s is not digits only.", prefix=repr(entry.prefix))
        if entry.type not in TYPES:
            raise Refused("%(type)s is not a type of number.", type=repr(entry.type))
    return [NumberPlanReplaced(entries=entries)]

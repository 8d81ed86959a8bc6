"""A number plan: area and type of each prefix. Layers: seed, imported, and each company's own."""

from datetime import datetime

import msgspec

from billing.aggregates.event import Event
from billing.rating.number_plan import PlanEntry
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
    """Replaces all entries of this layer."""

    entries: tuple[PlanEntry, ...]


class PlanKey(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """Identifies at most one entry of a layer."""

    prefix: str
    country: str = ""
    short: bool = False  # a short code, dialled without any prefix
    effective_from: datetime | None = None


class NumberPlanChanged(Event, frozen=True, kw_only=True):
    """Some entries of a layer are added or replaced, others removed."""

    entries: tuple[PlanEntry, ...] = ()
    removed: tuple[PlanKey, ...] = ()


Key = tuple[str, str, bool, datetime | None]


class NumberPlan(msgspec.Struct, frozen=True):
    """The entries of one layer, by key."""

    entries: dict[Key, PlanEntry] = {}


def key_of(entry: PlanEntry | PlanKey) -> Key:
    """Return the lookup key of an entry."""
    short = entry.short if isinstance(entry, PlanKey) else entry.short_code
    return (entry.prefix, entry.country, short, entry.effective_from)


def evolve(plan: NumberPlan | None, event: Event) -> NumberPlan | None:
    """Return the plan after `event`."""
    match event:
        case NumberPlanReplaced(entries=entries):
            return NumberPlan({key_of(entry): entry for entry in entries})
        case NumberPlanChanged(entries=entries, removed=removed):
            kept = dict(plan.entries) if plan else {}
            kept |= {key_of(entry): entry for entry in entries}
            for key in removed:
                kept.pop(key_of(key), None)
            return NumberPlan(kept)
        case _:
            return plan


def replace_number_plan(_plan: NumberPlan | None, entries: tuple[PlanEntry, ...]) -> list[Event]:
    """Replace a layer of the number plan. Refused as a whole; the message names the wrong entry."""
    for entry in entries:
        validate_entry(entry)
    return [NumberPlanReplaced(entries=entries)]


def change_number_plan(
    plan: NumberPlan | None, *, entries: tuple[PlanEntry, ...], removed: tuple[PlanKey, ...]
) -> list[Event]:
    """Set some entries of a layer and remove others. Refused for an entry that does not exist."""
    for entry in entries:
        validate_entry(entry)
    there = plan.entries if plan else {}
    for key in removed:
        if key_of(key) not in there:
            raise Refused("There is no entry for %(prefix)s in this layer.", prefix=key.prefix)
    if not removed and all(there.get(key_of(entry)) == entry for entry in entries):
        return []
    return [NumberPlanChanged(entries=entries, removed=removed)]


def validate_entry(entry: PlanEntry) -> None:
    """Refuse an invalid entry."""
    if not is_digits(entry.prefix):
        raise Refused("The prefix %(prefix)s must have digits only.", prefix=repr(entry.prefix))
    if entry.type not in TYPES:
        raise Refused("%(type)s is not a type of number.", type=repr(entry.type))
    if entry.min_len < 0 or (entry.max_len and entry.max_len < entry.min_len):
        raise Refused("%(prefix)s: the longest is shorter than the shortest.", prefix=entry.prefix)

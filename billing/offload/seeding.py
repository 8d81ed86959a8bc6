"""Previews or writes the seed of the number plan. Blocks for seconds."""

from collections import Counter

from billing.aggregates import number_plan
from billing.aggregates.number_plan import SEED
from billing.commands.deciding import fold
from billing.commands.number_plan import ReplaceNumberPlan, replace_number_plan
from billing.log.store import Store
from billing.offload.tasks import Answer, Seed, Seeded
from billing.rating.seed_plan import seed_plan

SAMPLE = 40  # entries shown


def seed(store: Store, request: Seed) -> Answer:
    """Build the seed, then describe it or write it. Refused for an unknown country."""
    entries = tuple(seed_plan(request.countries, request.language))
    if request.write:
        command = ReplaceNumberPlan(layer=SEED, entries=entries)
        return Answer(position=replace_number_plan(store, command, request.envelope))
    before = fold(number_plan.evolve, store.follow(SEED))
    own = [each for each in entries if each.country in request.countries and not each.short_code]
    step = max(1, len(own) // SAMPLE)
    return Answer(
        seeded=Seeded(
            entries=len(entries),
            before=len(before.entries) if before else 0,
            types=dict(Counter(entry.type for entry in entries)),
            sample=own[::step][:SAMPLE],
        )
    )

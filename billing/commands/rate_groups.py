"""Commands on rate groups and their rates."""

from collections.abc import Callable, Container, Sequence
from functools import partial

import msgspec
from babel.numbers import list_currencies

from billing.aggregates import rate_group
from billing.aggregates.event import Envelope, Event
from billing.aggregates.rate_group import PRICES
from billing.commands.catalogue import Catalogue
from billing.commands.deciding import ATTEMPTS, decide_new, fold, require
from billing.log.store import Conflict, Pending, Store
from billing.rating.rates import Rate, RateKey, Target, Tier, key_of
from billing.values import Refused


class CreateRateGroup(msgspec.Struct, frozen=True, kw_only=True):
    group_id: str
    name: str
    currency: str


class ChangeRates(msgspec.Struct, frozen=True, kw_only=True):
    group_id: str
    rates: tuple[Rate, ...]


class CopyRateGroup(msgspec.Struct, frozen=True, kw_only=True):
    group_id: str
    name: str
    original_id: str


class RenameRateGroup(msgspec.Struct, frozen=True, kw_only=True):
    group_id: str
    name: str


class DeleteRateGroup(msgspec.Struct, frozen=True, kw_only=True):
    group_id: str


class EndRate(msgspec.Struct, frozen=True, kw_only=True):
    group_id: str
    key: RateKey  # its `effective_from` is when the price ends


class RemoveRate(msgspec.Struct, frozen=True, kw_only=True):
    group_id: str
    key: RateKey


class ImportDeck(msgspec.Struct, frozen=True, kw_only=True):
    group_id: str
    import_id: str
    file_name: str
    rates: tuple[Rate, ...]
    ended: tuple[RateKey, ...] = ()


class UndoImport(msgspec.Struct, frozen=True, kw_only=True):
    group_id: str
    import_id: str


def default_rates() -> tuple[Rate, ...]:
    """Return the prices of a new group: local and internal calls are free until priced."""
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


def copy_rate_group(store: Store, command: CopyRateGroup, envelope: Envelope) -> int:
    """Create a group with the prices of another one."""
    original = load_rate_group(store, command.original_id)
    return decide_new(
        store,
        f"rate-group:{command.group_id}",
        rate_group.evolve,
        lambda state: rate_group.copy_rate_group(state, name=command.name, original=original),
        envelope,
    )


def load_rate_group(store: Store, group_id: str) -> rate_group.RateGroup:
    """Load a group with all its prices. Refused if there is none."""
    stream = f"rate-group:{group_id}"
    return require(fold(rate_group.evolve, store.follow(stream)), stream)


def rename_rate_group(store: Store, command: RenameRateGroup, envelope: Envelope) -> int:
    """Rename a group."""
    return _decide(
        store,
        command.group_id,
        lambda group: rate_group.rename_rate_group(group, name=command.name),
        envelope,
        excluding=PRICES,
    )


def delete_rate_group(store: Store, command: DeleteRateGroup, envelope: Envelope) -> int:
    """Delete a group. Refused if a company was ever bound to it."""
    catalogue = Catalogue(excluding=PRICES)
    catalogue.refresh(store)
    in_use = any(
        bound == command.group_id
        for company in catalogue.context.companies.values()
        for _, bound in company.rate_groups
    )
    return _decide(
        store,
        command.group_id,
        lambda group: rate_group.delete_rate_group(group, in_use=in_use),
        envelope,
        excluding=PRICES,
    )


def change_rates(store: Store, command: ChangeRates, envelope: Envelope) -> int:
    """Set prices of a group by one event."""
    return _decide(
        store,
        command.group_id,
        lambda group: rate_group.change_rates(group, command.rates),
        envelope,
        excluding=PRICES,
    )


def end_rate(store: Store, command: EndRate, envelope: Envelope) -> int:
    """End a price."""
    return _decide(
        store,
        command.group_id,
        lambda group: rate_group.end_rate(group, command.key),
        envelope,
        wanted={key_of(command.key)[:3]},
    )


def remove_rate(store: Store, command: RemoveRate, envelope: Envelope) -> int:
    """Remove a version of a price."""
    return _decide(
        store,
        command.group_id,
        lambda group: rate_group.remove_rate(group, command.key),
        envelope,
        wanted={key_of(command.key)[:3]},
    )


def import_deck(store: Store, command: ImportDeck, envelope: Envelope) -> int:
    """Set the prices of a spreadsheet by one event. Idempotent by import id."""
    stream = f"rate-group:{command.group_id}"

    def decision(group: rate_group.RateGroup) -> list[Event]:
        if store.begins(stream, rate_group.DeckImported, command.import_id):
            return []
        return rate_group.import_deck(
            group,
            import_id=command.import_id,
            file_name=command.file_name,
            rates=command.rates,
            ended=command.ended,
        )

    return _decide(store, command.group_id, decision, envelope, excluding=PRICES)


def undo_import(store: Store, command: UndoImport, envelope: Envelope) -> int:
    """Undo an import. Refused if there is none or it was undone already."""
    imported = _find_import(store, command)
    wanted = {key_of(price)[:3] for price in rate_group.changes_of(imported)[0]}
    stream = f"rate-group:{command.group_id}"

    def decision(group: rate_group.RateGroup) -> list[Event]:
        in_force = {each for each, is_in in group.imports.items() if is_in} - {command.import_id}
        events = (recorded.event for recorded in store.follow(stream))
        left: rate_group.RateGroup | None = None
        for event in rate_group.remaining(events, in_force):
            left = rate_group.evolve(left, event, wanted)
        return rate_group.undo_import(group, imported, require(left, stream))

    return _decide(store, command.group_id, decision, envelope, wanted=wanted)


def _find_import(store: Store, command: UndoImport) -> rate_group.DeckImported:
    excluding = [kind for kind in PRICES if kind is not rate_group.DeckImported]
    for recorded in store.follow(f"rate-group:{command.group_id}", excluding):
        event = recorded.event
        if isinstance(event, rate_group.DeckImported) and event.import_id == command.import_id:
            return event
    raise Refused("There is no such import.")


def _decide(
    store: Store,
    group_id: str,
    decision: Callable[[rate_group.RateGroup], list[Event]],
    envelope: Envelope,
    *,
    excluding: Sequence[type[Event]] = (),
    wanted: Container[Target] | None = None,
) -> int:
    """Decide on a group, reading only the events that the decision needs.

    A group may hold 200,000 prices in many versions; `excluding` and `wanted` limit them.
    """
    stream = f"rate-group:{group_id}"
    for _ in range(ATTEMPTS):
        version = store.version(stream)
        group = require(fold(_evolve(wanted), store.follow(stream, excluding)), stream)
        events = enumerate(decision(group), version + 1)
        pending = [Pending(stream, number, event, envelope) for number, event in events]
        try:
            return store.append(pending)
        except Conflict:
            continue
    raise Refused("Somebody else changed this at the same moment. Try again.")


def _evolve(
    wanted: Container[Target] | None,
) -> Callable[[rate_group.RateGroup | None, Event], rate_group.RateGroup | None]:
    return partial(rate_group.evolve, wanted=wanted)

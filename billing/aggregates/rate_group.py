"""A rate group: a set of prices in one currency."""

from collections.abc import Container, Iterable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from billing.aggregates.event import Event
from billing.rating.rates import Key, Rate, RateKey, Target, key_of, validate_rate
from billing.values import Refused

DEFAULTS = ("local", "internal")  # call classes that every group has a price for


class RateGroupCreated(Event, frozen=True, kw_only=True):
    name: str
    currency: str


class RatesChanged(Event, frozen=True, kw_only=True):
    """Prices are set: new ones, or new versions from their `effective_from`; one event for many."""

    rates: tuple[Rate, ...]


class RateGroupRenamed(Event, frozen=True, kw_only=True):
    name: str


class RateGroupDeleted(Event, frozen=True, kw_only=True):
    """The group was never bound to a company; its history stays."""


class RatesWithdrawn(Event, frozen=True, kw_only=True):
    """`ended` prices stop at a moment; `removed` ones are treated as if they had never been set."""

    ended: tuple[RateKey, ...] = ()
    removed: tuple[RateKey, ...] = ()


class DeckImported(Event, frozen=True, kw_only=True):
    """The prices of an imported spreadsheet: one event for all that it sets and ends."""

    import_id: str
    file_name: str
    rates: tuple[Rate, ...]
    ended: tuple[RateKey, ...] = ()


class DeckImportUndone(Event, frozen=True, kw_only=True):
    """An import is undone: its prices become what the events without undone imports say.

    Before decision 0161 they became what they had been before the import, even if those prices
    came from an import that had been undone in between.
    """

    import_id: str
    file_name: str
    rates: tuple[Rate, ...]
    ended: tuple[RateKey, ...] = ()
    removed: tuple[RateKey, ...] = ()


Prices = RatesChanged | RatesWithdrawn | DeckImported | DeckImportUndone
PRICES = (RatesChanged, RatesWithdrawn, DeckImported, DeckImportUndone)


def changes_of(event: Prices) -> tuple[Sequence[Rate | RateKey], Sequence[RateKey]]:
    """Return the prices that an event sets or ends, and the keys that it removes."""
    match event:
        case RatesChanged(rates=rates):
            return rates, ()
        case RatesWithdrawn(ended=ended, removed=removed):
            return ended, removed
        case DeckImported(rates=rates, ended=ended):
            return (*rates, *ended), ()
        case DeckImportUndone(rates=rates, ended=ended, removed=removed):
            return (*rates, *ended), removed


class RateGroup(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a rate group; `prices` may be limited to some targets."""

    currency: str
    name: str = ""
    deleted: bool = False
    prices: dict[Key, Rate | RateKey] = {}  # a RateKey ends the price before it
    imports: dict[str, bool] = {}  # import id -> whether it is in force (not undone)


def evolve(
    group: RateGroup | None, event: Event, wanted: Container[Target] | None = None
) -> RateGroup | None:
    """Return the rate group after `event`.

    With `wanted`, only the prices of these targets are kept: a group can have 200,000.
    """
    match event:
        case RateGroupCreated(currency=currency, name=name):
            return RateGroup(currency=currency, name=name)
        case RateGroupRenamed(name=name) if group:
            return replace(group, name=name)
        case RateGroupDeleted() if group:
            return replace(group, deleted=True)
        case RatesChanged() | RatesWithdrawn() | DeckImported() | DeckImportUndone() if group:
            return _after(group, event, wanted)
        case _:
            return group


def _after(group: RateGroup, event: Prices, wanted: Container[Target] | None) -> RateGroup:
    set_or_ended, removed = changes_of(event)
    keyed = ((key_of(rate), rate) for rate in set_or_ended)
    prices = group.prices | {
        key: rate for key, rate in keyed if wanted is None or key[:3] in wanted
    }
    for key in removed:
        prices.pop(key_of(key), None)
    imports = group.imports
    if isinstance(event, DeckImported | DeckImportUndone):
        imports = {**imports, event.import_id: isinstance(event, DeckImported)}
    return replace(group, prices=prices, imports=imports)


def create_rate_group(
    group: RateGroup | None, *, name: str, currency: str, defaults: tuple[Rate, ...]
) -> list[Event]:
    """Create a group with the default prices, which every group must have."""
    if group:
        raise Refused("This rate group already exists.")
    if not name.strip():
        raise Refused("A rate group needs a name.")
    return [
        RateGroupCreated(name=name.strip(), currency=currency),
        *change_rates(RateGroup(currency=currency), defaults),
    ]


def copy_rate_group(group: RateGroup | None, *, name: str, original: RateGroup) -> list[Event]:
    """Create a group with all prices of another one, including past and planned ones."""
    _refuse_deleted(original)
    prices = original.prices.values()
    rates = tuple(price for price in prices if isinstance(price, Rate))
    ended = tuple(price for price in prices if isinstance(price, RateKey))
    events = create_rate_group(group, name=name, currency=original.currency, defaults=rates)
    return [*events, RatesWithdrawn(ended=ended)] if ended else events


def rename_rate_group(group: RateGroup, *, name: str) -> list[Event]:
    """Rename a group."""
    _refuse_deleted(group)
    if not name.strip():
        raise Refused("A rate group needs a name.")
    return [] if name.strip() == group.name else [RateGroupRenamed(name=name.strip())]


def delete_rate_group(group: RateGroup, *, in_use: bool) -> list[Event]:
    """Delete a group. Refused if a company is or was bound to it."""
    _refuse_deleted(group)
    if in_use:
        raise Refused("This rate group is assigned to companies and can't be deleted.")
    return [RateGroupDeleted()]


def change_rates(group: RateGroup, rates: tuple[Rate, ...]) -> list[Event]:
    """Set prices. Refused as a whole if one is invalid."""
    _refuse_deleted(group)
    for rate in rates:
        validate_rate(rate)
    return [RatesChanged(rates=rates)]


def end_rate(group: RateGroup, key: RateKey) -> list[Event]:
    """End a price at a moment; from then on a shorter prefix or the class price applies."""
    _refuse_deleted(group)
    if key.call_class in DEFAULTS:
        raise Refused("Every rate group has this price; change it instead.")
    if key.effective_from is None:
        raise Refused("Enter the first day without a price.")
    standing = (price for price in group.prices.values() if isinstance(price, Rate))
    if not any(key_of(price)[:3] == key_of(key)[:3] for price in standing):
        raise Refused("There is no such price.")
    return [RatesWithdrawn(ended=(key,))]


def remove_rate(group: RateGroup, key: RateKey) -> list[Event]:
    """Remove a version of a price, as if it had never been set."""
    _refuse_deleted(group)
    if key_of(key) not in group.prices:
        raise Refused("There is no such price.")
    if key.call_class in DEFAULTS and key.effective_from is None:
        raise Refused("Every rate group has this price; change it instead.")
    return [RatesWithdrawn(removed=(key,))]


def import_deck(
    group: RateGroup,
    *,
    import_id: str,
    file_name: str,
    rates: tuple[Rate, ...],
    ended: tuple[RateKey, ...],
) -> list[Event]:
    """Set and end the prices of a spreadsheet. Idempotent by `import_id`."""
    _refuse_deleted(group)
    if import_id in group.imports:
        return []
    if not rates and not ended:
        raise Refused("The file changes no price.")
    for rate in rates:
        validate_rate(rate)
    return [DeckImported(import_id=import_id, file_name=file_name, rates=rates, ended=ended)]


def undo_import(group: RateGroup, imported: DeckImported, left: RateGroup) -> list[Event]:
    """Undo an import: its prices become those of `left`, the group without undone imports.

    `left` is the fold of `remaining(events, ...)`. Refused if the import was already undone.
    """
    _refuse_deleted(group)
    if not group.imports.get(imported.import_id):
        raise Refused("This import was already undone.")
    rates, ended, removed = list[Rate](), list[RateKey](), list[RateKey]()
    for key in dict.fromkeys(map(key_of, changes_of(imported)[0])):
        price = left.prices.get(key)
        if group.prices.get(key) == price:
            continue
        if isinstance(price, Rate):
            rates.append(price)
        elif price:
            ended.append(price)
        else:
            removed.append(
                RateKey(prefix=key[0], call_class=key[1], area=key[2], effective_from=key[3])
            )
    return [
        DeckImportUndone(
            import_id=imported.import_id,
            file_name=imported.file_name,
            rates=tuple(rates),
            ended=tuple(ended),
            removed=tuple(removed),
        )
    ]


def remaining(events: Iterable[Event], in_force: Container[str]) -> Iterator[Event]:
    """Yield the events of a group as if only the imports of these ids had ever been made."""
    for event in events:
        if isinstance(event, DeckImportUndone):
            continue
        if isinstance(event, DeckImported) and event.import_id not in in_force:
            continue
        yield event


def _refuse_deleted(group: RateGroup) -> None:
    if group.deleted:
        raise Refused("This rate group was deleted.")

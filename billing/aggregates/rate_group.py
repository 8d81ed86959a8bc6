"""A rate group: a set of prices in one currency."""

import msgspec

from billing.aggregates.event import Event
from billing.rating.rates import Rate, validate_rate
from billing.values import Refused


class RateGroupCreated(Event, frozen=True, kw_only=True):
    name: str
    currency: str


class RatesChanged(Event, frozen=True, kw_only=True):
    """Prices set (new, or a new version from their `effective_from`); one event for many."""

    rates: tuple[Rate, ...]


class RateGroup(msgspec.Struct, frozen=True, kw_only=True):
    currency: str


def evolve(group: RateGroup | None, event: Event) -> RateGroup | None:
    """The rate group after `event`."""
    match event:
        case RateGroupCreated(currency=currency):
            return RateGroup(currency=currency)
        case _:
            return group


def create_rate_group(
    group: RateGroup | None, *, name: str, currency: str, defaults: tuple[Rate, ...]
) -> list[Event]:
    """Create a group with its default rates `local` and `inter`."""
    if group:
        raise Refused("This rate group exists already.")
    if not name.strip():
        raise Refused("A rate group needs a name.")
    return [
        RateGroupCreated(name=name.strip(), currency=currency),
        *change_rates(RateGroup(currency=currency), defaults),
    ]


def change_rates(group: RateGroup, rates: tuple[Rate, ...]) -> list[Event]:
    """Set prices. Refused as a whole if one is not a possible rate."""
    for rate in rates:
        validate_rate(rate)
    return [RatesChanged(rates=rates)]

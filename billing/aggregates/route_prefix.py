"""Route prefixes: digits that a device leaves in front of the called number."""

from billing.aggregates.event import Event
from billing.rating.numbers import RoutePrefix
from billing.values import Refused, first_repeated, is_digits


class RoutePrefixesSet(Event, frozen=True, kw_only=True):
    rules: tuple[RoutePrefix, ...]


def set_route_prefixes(state: object, rules: tuple[RoutePrefix, ...]) -> list[Event]:
    """Replace the device's route prefixes. They are tried in order; at most one applies."""
    if any(not is_digits(rule.prefix) for rule in rules):
        raise Refused("A route prefix must have digits only.")
    if any(not 0 <= rule.min_rest <= rule.max_rest for rule in rules):
        raise Refused("The minimum of remaining digits is greater than the maximum.")
    prefixes = [rule.prefix for rule in rules]
    if len(set(prefixes)) < len(prefixes):
        raise Refused("The route prefix %(prefix)s appears twice.", prefix=first_repeated(prefixes))
    if any(rule.replacement.startswith(rule.prefix) for rule in rules):
        raise Refused("A replacement can't begin with its own prefix.")
    return [RoutePrefixesSet(rules=rules)]

"""Commands on route prefixes, of one device or of all devices."""

import msgspec

from billing.aggregates import device, route_prefix
from billing.aggregates.event import Envelope
from billing.commands.deciding import decide, decide_new
from billing.log.store import Store
from billing.rating.numbers import RoutePrefix

GENERAL_PREFIXES = "route-prefixes:general"  # the stream of prefixes for all devices


class SetRoutePrefixes(msgspec.Struct, frozen=True, kw_only=True):
    device_id: str  # "" = prefixes for all devices, tried after each device's own
    rules: tuple[RoutePrefix, ...]


def set_route_prefixes(store: Store, command: SetRoutePrefixes, envelope: Envelope) -> int:
    """Replace the route prefixes of one device, or those for all devices."""
    if not command.device_id:
        return decide_new(
            store,
            GENERAL_PREFIXES,
            device.evolve,
            lambda state: route_prefix.set_route_prefixes(state, command.rules),
            envelope,
        )
    return decide(
        store,
        f"device:{command.device_id}",
        device.evolve,
        lambda state: route_prefix.set_route_prefixes(state, command.rules),
        envelope,
    )

"""The catalogue's devices: how to parse and rate their records, and from where they may submit."""

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from msgspec.structs import replace

from billing.aggregates.device import (
    DeviceChanged,
    DeviceDisabled,
    DeviceEnabled,
    DeviceRegistered,
    TenantNamed,
    TrunkAssigned,
)
from billing.aggregates.extension import ExtensionsAssigned, ExtensionsRemoved
from billing.aggregates.route_prefix import RoutePrefixesSet
from billing.rating.context import Assignment, DeviceProfile
from billing.rating.numbers import RoutePrefix
from billing.values import Refused

Registration = DeviceRegistered | DeviceChanged  # both hold the settings to parse its records
Networks = tuple[IPv4Network | IPv6Network, ...]


class DeviceBook:
    """The devices at the catalogue's position."""

    def __init__(self) -> None:
        self._profiles: dict[str, DeviceProfile] = {}
        self._registrations: dict[str, Registration] = {}
        self._disabled: dict[str, str] = {}  # device id -> reason
        self._networks: dict[str, Networks] = {}
        self._prefixes: dict[str, tuple[RoutePrefix, ...]] = {}  # device id -> its own prefixes
        self._general: tuple[RoutePrefix, ...] = ()

    def handlers(self) -> dict[type, Callable[[str, str, Any], None]]:
        """Return the handler of each event; called with the id, the stream and the event."""
        return {
            DeviceRegistered: self._register,
            DeviceChanged: self._change,
            DeviceDisabled: self._disable,
            DeviceEnabled: lambda own_id, _, __: self._enable(own_id),
            TenantNamed: self._name_tenant,
            ExtensionsAssigned: self._assign_extensions,
            ExtensionsRemoved: self._remove_extensions,
            TrunkAssigned: self._assign_trunk,
            RoutePrefixesSet: self._set_route_prefixes,
        }

    def profile(self, device_id: str) -> DeviceProfile:
        """Return the profile that rating uses. Refused if there is no such device."""
        if device_id not in self._profiles:
            raise Refused("There is no device %(device)s.", device=device_id)
        return self._profiles[device_id]

    def registration(self, device_id: str) -> Registration:
        """Return the settings to parse a device's records. Refused if there is no such device."""
        if device_id not in self._registrations:
            raise Refused("There is no device %(device)s.", device=device_id)
        return self._registrations[device_id]

    def route_prefixes(self, device_id: str) -> tuple[RoutePrefix, ...]:
        """Return a device's own route prefixes, in order; for "" those for all devices."""
        return self._prefixes.get(device_id, ()) if device_id else self._general

    def refuse_unless_admitted(self, device_id: str, ip: str) -> None:
        """Refuse submissions of a disabled device, or from an IP address it may not use."""
        if device_id in self._disabled:
            raise Refused("This device is disabled: %(reason)s", reason=self._disabled[device_id])
        networks = self._networks.get(device_id)
        if networks and not _is_within(ip, networks):
            raise Refused("This device may not submit from %(address)s.", address=ip)

    def _register(self, own_id: str, _: str, event: DeviceRegistered) -> None:
        self._registrations[own_id] = event
        self._profiles[own_id] = DeviceProfile(
            device_id=own_id,
            company_id=event.company_id,
            country=event.country,
            area_code=event.area_code,
            route_prefixes=self._general,
        )

    def _change(self, own_id: str, _: str, event: DeviceChanged) -> None:
        networks = tuple(ip_network(text) for text in event.allowed_addresses)
        profile = replace(
            self._profiles[own_id],
            country=event.country,
            area_code=event.area_code,
            gateway_first=event.gateway_first,
        )
        self._registrations[own_id] = event
        self._networks[own_id] = networks
        self._profiles[own_id] = profile

    def _disable(self, own_id: str, _: str, event: DeviceDisabled) -> None:
        self._disabled[own_id] = event.reason

    def _enable(self, own_id: str) -> None:
        self._disabled.pop(own_id, None)

    # The dicts of a profile belong to this catalogue, so assigning 50,000 extensions copies
    # nothing.

    def _name_tenant(self, own_id: str, _: str, event: TenantNamed) -> None:
        self._profiles[own_id].tenants[event.tenant] = event.company_id

    def _assign_extensions(self, own_id: str, _: str, event: ExtensionsAssigned) -> None:
        extensions = self._profiles[own_id].extensions
        for entry in event.entries:
            key = entry.tenant, entry.extension
            assignment = Assignment(entry.account, entry.valid_from)
            extensions[key] = (*extensions.get(key, ()), assignment)

    def _remove_extensions(self, own_id: str, _: str, event: ExtensionsRemoved) -> None:
        for key in event.extensions:
            self._profiles[own_id].extensions.pop(key, None)

    def _assign_trunk(self, own_id: str, _: str, event: TrunkAssigned) -> None:
        trunks = self._profiles[own_id].trunks
        assignment = Assignment(event.account, event.valid_from)
        trunks[event.trunk] = (*trunks.get(event.trunk, ()), assignment)

    def _set_route_prefixes(self, own_id: str, stream: str, event: RoutePrefixesSet) -> None:
        """Set rules of one device or of all; a device's own are tried first."""
        rules = tuple(sorted(event.rules, key=lambda rule: rule.order))
        if stream.startswith("device:"):
            self._prefixes[own_id] = rules
            changed = [own_id]
        else:
            self._general = rules
            changed = list(self._profiles)
        for device_id in changed:
            own = (*self._prefixes.get(device_id, ()), *self._general)
            self._profiles[device_id] = replace(self._profiles[device_id], route_prefixes=own)


def _is_within(ip: str, networks: Networks) -> bool:
    try:
        own = ip_address(ip)
    except ValueError:
        return False
    mapped = getattr(own, "ipv4_mapped", None)
    return any((mapped or own) in network for network in networks)

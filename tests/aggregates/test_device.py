"""Devices: registering, extensions, trunks, tenants, route prefixes."""

from datetime import UTC, datetime
from typing import Any

from billing.aggregates import device, extension, route_prefix
from billing.aggregates.device import DeviceRegistered, TenantNamed, TrunkAssigned
from billing.aggregates.extension import ExtensionEntry, ExtensionsAssigned
from billing.aggregates.route_prefix import RoutePrefixesSet
from billing.rating.numbers import RoutePrefix
from tests.given import given

PLACE: dict[str, Any] = {"time_zone": "Europe/Madrid", "country": "ES", "area_code": "91"}
PBX = DeviceRegistered(company_id="acme", name="PBX", **PLACE)
REGISTERING = {"company_id": "acme", "name": "PBX", **PLACE, "countries": ["ES"]}
MAY = datetime(2026, 5, 1, tzinfo=UTC)


def test_a_device_is_registered_once() -> None:
    given(device).when(device.register_device, **REGISTERING).then(PBX)
    given(device, PBX).when(device.register_device, **REGISTERING).then_refused("already")


def test_a_device_needs_a_name_and_a_valid_zone_country_and_area() -> None:
    for wrong, words in (
        ({"name": ""}, "needs a name"),
        ({"time_zone": "Mars/Olympus"}, "not a time zone"),
        ({"country": "XX"}, "XX is not a country"),
        ({"area_code": "9a"}, "digits only"),
        ({"record_format": "fax"}, "fax is not a record format"),
    ):
        given(device).when(device.register_device, **{**REGISTERING, **wrong}).then_refused(words)


def test_an_extension_is_assigned_from_a_moment_on() -> None:
    entry = ExtensionEntry(extension="101", account="user:ana", valid_from=MAY)
    given(device, PBX).when(extension.assign_extensions, (entry,)).then(
        ExtensionsAssigned(entries=(entry,))
    )
    given(device, PBX).when(
        extension.assign_extensions, (ExtensionEntry(extension=""),)
    ).then_refused("needs a number")


def test_a_trunk_is_assigned_to_a_gateway_account() -> None:
    given(device, PBX).when(device.assign_trunk, trunk="gw1", account="gateway:x").then(
        TrunkAssigned(trunk="gw1", account="gateway:x")
    )
    given(device, PBX).when(device.assign_trunk, trunk="", account="x").then_refused("needs")


def test_a_tenant_is_assigned_to_a_company() -> None:
    given(device, PBX).when(device.name_tenant, tenant="a.example", company_id="a").then(
        TenantNamed(tenant="a.example", company_id="a")
    )
    given(device, PBX).when(device.name_tenant, tenant="", company_id="a").then_refused("needs")


def test_route_prefixes_are_digits() -> None:
    nine = RoutePrefix(order=1, prefix="9", replacement="", min_rest=9, max_rest=15)
    given(device, PBX).when(route_prefix.set_route_prefixes, (nine,)).then(
        RoutePrefixesSet(rules=(nine,))
    )
    star = RoutePrefix(order=1, prefix="*9", replacement="", min_rest=9, max_rest=15)
    given(device, PBX).when(route_prefix.set_route_prefixes, (star,)).then_refused("digits only")

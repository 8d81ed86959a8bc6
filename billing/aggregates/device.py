"""A device: a phone system that submits call records, its extensions, trunks and route prefixes."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import available_timezones

import msgspec

from billing.aggregates.event import Event
from billing.rating.numbers import RoutePrefix
from billing.values import Refused, is_digits

FORMATS = ("auto", "native", "freeswitch", "asterisk", "kamailio", "csv")


class DeviceRegistered(Event, frozen=True, kw_only=True):
    company_id: str
    name: str
    time_zone: str
    country: str
    area_code: str
    model: str = ""
    format: str = "auto"
    columns: tuple[str, ...] = ()  # of a CSV without a header
    fallback_encoding: str = "cp1252"  # of records that are not UTF-8


class TenantNamed(Event, frozen=True, kw_only=True):
    """On a hosted device: records of this account code, context or domain are this company's."""

    tenant: str
    company_id: str


class ExtensionAssigned(Event, frozen=True, kw_only=True):
    """From `valid_from` on the extension belongs to `account` ('' = the company itself)."""

    extension: str
    account: str = ""
    name: str = ""
    tenant: str = ""
    valid_from: datetime | None = None  # None: from the beginning


class TrunkAssigned(Event, frozen=True, kw_only=True):
    """From `valid_from` on calls that come in by the trunk are the gateway account's."""

    trunk: str
    account: str
    valid_from: datetime | None = None


class RoutePrefixesSet(Event, frozen=True, kw_only=True):
    rules: tuple[RoutePrefix, ...]


class Device(msgspec.Struct, frozen=True, kw_only=True):
    company_id: str
    name: str
    time_zone: str
    tenants: dict[str, str] = {}  # of a hosted device: tenant -> company

    def company_of(self, tenant: str) -> str:
        """Whose the extensions and trunks of a tenant are; "" where nobody's."""
        return self.tenants.get(tenant, "") if self.tenants else self.company_id


def evolve(device: Device | None, event: Event) -> Device | None:
    """The device after `event`."""
    match event:
        case DeviceRegistered():
            return Device(company_id=event.company_id, name=event.name, time_zone=event.time_zone)
        case TenantNamed(tenant=tenant, company_id=company_id) if device:
            tenants = {**device.tenants, tenant: company_id}
            return msgspec.structs.replace(device, tenants=tenants)
        case _:
            return device


def register_device(
    device: Device | None,
    *,
    company_id: str,
    name: str,
    time_zone: str,
    country: str,
    area_code: str,
    model: str = "",
    record_format: str = "auto",
    countries: Iterable[str],
) -> list[Event]:
    """Register a device. `countries` are the ISO 3166 codes that exist."""
    if device:
        raise Refused("This device is already registered.")
    if not name.strip():
        raise Refused("A device needs a name.")
    if time_zone not in available_timezones():
        raise Refused("%(zone)s is not a time zone.", zone=time_zone)
    if country not in countries:
        raise Refused("%(code)s is not a country code.", code=country)
    if area_code and not is_digits(area_code):
        raise Refused("An area code is digits only.")
    if record_format not in FORMATS:
        raise Refused("%(name)s is not a record format.", name=record_format)
    return [
        DeviceRegistered(
            company_id=company_id,
            name=name.strip(),
            time_zone=time_zone,
            country=country,
            area_code=area_code,
            model=model,
            format=record_format,
        )
    ]


def name_tenant(device: Device, *, tenant: str, company_id: str) -> list[Event]:
    """Say whose calls a tenant of a hosted device carries."""
    if not tenant:
        raise Refused("A tenant needs a name.")
    return [TenantNamed(tenant=tenant, company_id=company_id)]


def assign_extension(
    device: Device,
    *,
    extension: str,
    account: str = "",
    name: str = "",
    tenant: str = "",
    valid_from: datetime | None = None,
) -> list[Event]:
    """Give an extension to a user account from a moment on."""
    if not extension:
        raise Refused("An extension needs a number.")
    return [
        ExtensionAssigned(
            extension=extension, account=account, name=name, tenant=tenant, valid_from=valid_from
        )
    ]


def assign_trunk(
    device: Device, *, trunk: str, account: str, valid_from: datetime | None = None
) -> list[Event]:
    """Let a gateway account pay for the calls that come in by a trunk."""
    if not trunk:
        raise Refused("A trunk needs a name.")
    return [TrunkAssigned(trunk=trunk, account=account, valid_from=valid_from)]


def set_route_prefixes(device: Device, rules: tuple[RoutePrefix, ...]) -> list[Event]:
    """Replace the device's route prefixes; they are tried in their order, one applies."""
    if any(not is_digits(rule.prefix) for rule in rules):
        raise Refused("A route prefix is digits only.")
    return [RoutePrefixesSet(rules=rules)]

"""A device: a phone system that submits call records, its extensions, trunks and route prefixes."""

from collections.abc import Iterable
from datetime import datetime
from ipaddress import ip_network
from zoneinfo import available_timezones

import msgspec

from billing.aggregates.event import Event
from billing.aggregates.reason import needed
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
    columns: tuple[str, ...] = ()  # of a CSV file without a header
    fallback_encoding: str = "cp1252"  # of records that are not UTF-8


class DeviceChanged(Event, frozen=True, kw_only=True):
    """All settings of a device that can be edited, as they are from now on."""

    name: str
    time_zone: str
    country: str
    area_code: str
    model: str = ""
    format: str = "auto"
    columns: tuple[str, ...] = ()
    fallback_encoding: str = "cp1252"
    gateway_first: bool = False  # whether the trunk decides who pays before the extension does
    allowed_addresses: tuple[str, ...] = ()  # IP addresses and networks that may submit; () = any
    silent_after_minutes: int = 0  # without a record for this time it is reported; 0 = never


class DeviceDisabled(Event, frozen=True, kw_only=True):
    """The device's submissions are refused from now on."""

    reason: str


class DeviceEnabled(Event, frozen=True, kw_only=True):
    """The device may submit again."""


class TenantNamed(Event, frozen=True, kw_only=True):
    """On a hosted device, records with this account code, context or domain are the company's."""

    tenant: str
    company_id: str


class CascadeSet(Event, frozen=True, kw_only=True):
    """Calls of this device continue through another one, which records them again."""

    upper: str  # the other device; "" = none
    charged: str = "lower"  # whose record is charged: lower (this one's) or upper
    start_seconds: int = 10  # largest difference between the two start times
    duration_seconds: int = 3  # largest difference between the two durations


class PairParted(Event, frozen=True, kw_only=True):
    """A person said that a record of this device is not of the same call as another device's.

    It is for the log of operations; the two calls have events of their own (aggregates/pairs.py).
    """

    charged_again: str  # the call that was voided, without 'call:'
    partner: str  # the call that was charged in its place
    reason: str


class TrunkAssigned(Event, frozen=True, kw_only=True):
    """From `valid_from` on, calls that come in by the trunk belong to the gateway account."""

    trunk: str
    account: str
    valid_from: datetime | None = None


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a device's state that decisions need."""

    company_id: str
    name: str
    time_zone: str
    enabled: bool = True
    tenants: dict[str, str] = {}  # of a hosted device: tenant -> company

    def company_of(self, tenant: str) -> str:
        """Return the company that owns a tenant's extensions and trunks; "" if unknown."""
        return self.tenants.get(tenant, "") if self.tenants else self.company_id


def evolve(device: Device | None, event: Event) -> Device | None:
    """Return the device after `event`."""
    match event:
        case DeviceRegistered():
            return Device(company_id=event.company_id, name=event.name, time_zone=event.time_zone)
        case DeviceChanged(name=name, time_zone=time_zone) if device:
            return msgspec.structs.replace(device, name=name, time_zone=time_zone)
        case DeviceDisabled() if device:
            return msgspec.structs.replace(device, enabled=False)
        case DeviceEnabled() if device:
            return msgspec.structs.replace(device, enabled=True)
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
    """Register a device. `countries` are the valid ISO 3166 codes."""
    if device:
        raise Refused("This device is already registered.")
    event = DeviceRegistered(
        company_id=company_id,
        name=name.strip(),
        time_zone=time_zone,
        country=country,
        area_code=area_code,
        model=model,
        format=record_format,
    )
    _check(event, countries)
    return [event]


def _check(settings: DeviceRegistered | DeviceChanged, countries: Iterable[str]) -> None:
    if not settings.name.strip():
        raise Refused("A device needs a name.")
    if settings.time_zone not in available_timezones():
        raise Refused("%(zone)s is not a time zone.", zone=settings.time_zone)
    if settings.country not in countries:
        raise Refused("%(code)s is not a country code.", code=settings.country)
    if settings.area_code and not is_digits(settings.area_code):
        raise Refused("An area code is digits only.")
    if settings.format not in FORMATS:
        raise Refused("%(name)s is not a record format.", name=settings.format)


def change_device(
    device: Device, change: DeviceChanged, *, countries: Iterable[str]
) -> list[Event]:
    """Edit a device; `change` has every editable setting, changed or not."""
    _check(change, countries)
    for text in change.allowed_addresses:
        try:
            ip_network(text)
        except ValueError as error:
            raise Refused(
                "%(text)s is not an IP address. Write it like 192.0.2.7 or 192.0.2.0/24.", text=text
            ) from error
    if change.silent_after_minutes < 0:
        raise Refused("The time without activity is a positive number of minutes.")
    return [msgspec.structs.replace(change, name=change.name.strip())]


def disable_device(device: Device, reason: str) -> list[Event]:
    """Refuse the device's submissions from now on."""
    if not device.enabled:
        raise Refused("This device is already disabled.")
    return [DeviceDisabled(reason=needed(reason))]


def enable_device(device: Device) -> list[Event]:
    """Accept the device's submissions again."""
    if device.enabled:
        raise Refused("This device is not disabled.")
    return [DeviceEnabled()]


def set_cascade(device: Device, change: CascadeSet, *, device_id: str) -> list[Event]:
    """Set the device through which this device's calls continue."""
    if change.upper == device_id:
        raise Refused("A device can't be its own upper device.")
    if change.charged not in ("lower", "upper"):
        raise Refused("The record of the lower or of the upper device is charged.")
    if min(change.start_seconds, change.duration_seconds) < 0:
        raise Refused("A tolerance can't be negative.")
    return [change]


def name_tenant(device: Device, *, tenant: str, company_id: str) -> list[Event]:
    """Set the company that owns a tenant of a hosted device."""
    if not tenant:
        raise Refused("A tenant needs a name.")
    return [TenantNamed(tenant=tenant, company_id=company_id)]


def assign_trunk(
    device: Device, *, trunk: str, account: str, valid_from: datetime | None = None
) -> list[Event]:
    """Let a gateway account pay for calls that come in by a trunk, from `valid_from` on."""
    if not trunk:
        raise Refused("A trunk needs a name.")
    return [TrunkAssigned(trunk=trunk, account=account, valid_from=valid_from)]

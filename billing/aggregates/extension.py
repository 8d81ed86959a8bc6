"""Extensions: internal numbers of a device, and the account each belongs to at which time."""

from datetime import datetime

import msgspec

from billing.aggregates.device import Device
from billing.aggregates.event import Event
from billing.values import Refused, first_repeated


class ExtensionAssigned(Event, frozen=True, kw_only=True):
    """From `valid_from` on, the extension belongs to `account` ("" = the company itself)."""

    extension: str
    account: str = ""
    name: str = ""
    tenant: str = ""
    valid_from: datetime | None = None  # None: from the beginning


class ExtensionEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of many assignments in `ExtensionsAssigned`."""

    extension: str
    account: str = ""
    name: str = ""
    tenant: str = ""
    valid_from: datetime | None = None


class ExtensionsAssigned(Event, frozen=True, kw_only=True):
    """Many extensions assigned by one event, as by an import."""

    entries: tuple[ExtensionEntry, ...]


def entries_of(event: Event) -> tuple[ExtensionEntry, ...]:
    """Return the assignments of an event; () if it assigns none."""
    if isinstance(event, ExtensionAssigned):
        return (ExtensionEntry(**msgspec.structs.asdict(event)),)
    return event.entries if isinstance(event, ExtensionsAssigned) else ()


class ExtensionsRemoved(Event, frozen=True, kw_only=True):
    """These extensions were entered by mistake; they are treated as if they had never existed."""

    extensions: tuple[tuple[str, str], ...]  # (tenant, extension)


def assign_extensions(device: Device, entries: tuple[ExtensionEntry, ...]) -> list[Event]:
    """Assign many extensions by one event. Refused if one is repeated."""
    if any(not entry.extension for entry in entries):
        raise Refused("An extension needs a number.")
    lines = [f"{entry.tenant} {entry.extension}".strip() for entry in entries]
    if len(set(lines)) < len(lines):
        raise Refused(
            "The extension %(extension)s is there twice.", extension=first_repeated(lines)
        )
    return [ExtensionsAssigned(entries=entries)] if entries else []


def remove_extensions(device: Device, extensions: tuple[tuple[str, str], ...]) -> list[Event]:
    """Remove extensions entered by mistake. To end one, assign it to the company instead."""
    return [ExtensionsRemoved(extensions=extensions)] if extensions else []


def assign_extension(
    device: Device,
    *,
    extension: str,
    account: str = "",
    name: str = "",
    tenant: str = "",
    valid_from: datetime | None = None,
) -> list[Event]:
    """Assign an extension to a user account from `valid_from` on."""
    if not extension:
        raise Refused("An extension needs a number.")
    return [
        ExtensionAssigned(
            extension=extension, account=account, name=name, tenant=tenant, valid_from=valid_from
        )
    ]

"""Extensions: internal numbers of a device, and the account each belongs to at which time."""

from datetime import datetime

import msgspec

from billing.aggregates.device import Device
from billing.aggregates.event import Event
from billing.values import Refused, first_repeated


class ExtensionEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """From `valid_from` on the extension belongs to `account` ('' = the company itself)."""

    extension: str
    account: str = ""
    name: str = ""
    tenant: str = ""
    valid_from: datetime | None = None  # None: from the beginning


class ExtensionsAssigned(Event, frozen=True, kw_only=True):
    """One extension or many: an import is one event."""

    entries: tuple[ExtensionEntry, ...]


class ExtensionAssigned(Event, frozen=True, kw_only=True):
    """The event of version 0.1 that assigned one extension. Only old logs hold it."""

    extension: str
    account: str = ""
    name: str = ""
    tenant: str = ""
    valid_from: datetime | None = None


def upcast_extension_assigned(old: ExtensionAssigned) -> ExtensionsAssigned:
    """The event of today for one of version 0.1."""
    return ExtensionsAssigned(entries=(ExtensionEntry(**msgspec.structs.asdict(old)),))


class ExtensionsRemoved(Event, frozen=True, kw_only=True):
    """These extensions were entered by mistake; they are treated as if they had never existed."""

    extensions: tuple[tuple[str, str], ...]  # (tenant, extension)


def assign_extensions(device: Device, entries: tuple[ExtensionEntry, ...]) -> list[Event]:
    """Give extensions to accounts, each from a moment on, by one event.

    Refused without a number, or if an extension of a tenant is there twice.
    """
    if any(not entry.extension for entry in entries):
        raise Refused("An extension needs a number.")
    lines = [f"{entry.tenant} {entry.extension}".strip() for entry in entries]
    if len(set(lines)) < len(lines):
        raise Refused("The extension %(extension)s appears twice.", extension=first_repeated(lines))
    return [ExtensionsAssigned(entries=entries)] if entries else []


def remove_extensions(device: Device, extensions: tuple[tuple[str, str], ...]) -> list[Event]:
    """Remove extensions entered by mistake. To end one, assign it to the company instead."""
    return [ExtensionsRemoved(extensions=extensions)] if extensions else []

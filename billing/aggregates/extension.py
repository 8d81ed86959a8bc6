"""Extensions: internal numbers of a device, and which account each belongs to from when on."""

from datetime import datetime

import msgspec

from billing.aggregates.device import Device
from billing.aggregates.event import Event
from billing.values import Refused, first_repeated


class ExtensionAssigned(Event, frozen=True, kw_only=True):
    """From `valid_from` on the extension belongs to `account` ('' = the company itself)."""

    extension: str
    account: str = ""
    name: str = ""
    tenant: str = ""
    valid_from: datetime | None = None  # None: from the beginning


class ExtensionEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of many assignments."""

    extension: str
    account: str = ""
    name: str = ""
    tenant: str = ""
    valid_from: datetime | None = None


class ExtensionsAssigned(Event, frozen=True, kw_only=True):
    """Many at once: an import is one event."""

    entries: tuple[ExtensionEntry, ...]


def entries_of(event: Event) -> tuple[ExtensionEntry, ...]:
    """The assignments that an event tells, whether it is one of one or of many."""
    if isinstance(event, ExtensionAssigned):
        return (ExtensionEntry(**msgspec.structs.asdict(event)),)
    return event.entries if isinstance(event, ExtensionsAssigned) else ()


class ExtensionsRemoved(Event, frozen=True, kw_only=True):
    """These are no extensions of the device, and never were."""

    extensions: tuple[tuple[str, str], ...]  # (tenant, extension)


def assign_extensions(device: Device, entries: tuple[ExtensionEntry, ...]) -> list[Event]:
    """Assign many extensions by one event."""
    if any(not entry.extension for entry in entries):
        raise Refused("An extension needs a number.")
    lines = [f"{entry.tenant} {entry.extension}".strip() for entry in entries]
    if len(set(lines)) < len(lines):
        raise Refused(
            "The extension %(extension)s is there twice.", extension=first_repeated(lines)
        )
    return [ExtensionsAssigned(entries=entries)] if entries else []


def remove_extensions(device: Device, extensions: tuple[tuple[str, str], ...]) -> list[Event]:
    """Take back extensions that were a mistake. To end one, give it back to the company."""
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
    """Give an extension to a user account from a moment on."""
    if not extension:
        raise Refused("An extension needs a number.")
    return [
        ExtensionAssigned(
            extension=extension, account=account, name=name, tenant=tenant, valid_from=valid_from
        )
    ]

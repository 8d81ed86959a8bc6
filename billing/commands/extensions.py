"""Commands on the extensions of devices."""

from datetime import datetime

import msgspec

from billing.aggregates import extension
from billing.aggregates.event import Envelope
from billing.commands.devices import decide_on_device
from billing.log.store import Store


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    extension: str
    account: str = ""  # '' = the company itself
    name: str = ""
    tenant: str = ""
    valid_from: datetime | None = None


class AssignExtensions(msgspec.Struct, frozen=True, kw_only=True):
    device_id: str
    assignments: tuple[Assignment, ...]


class RemoveExtensions(msgspec.Struct, frozen=True, kw_only=True):
    device_id: str
    extensions: tuple[tuple[str, str], ...]  # (tenant, extension)


def assign_extensions(store: Store, command: AssignExtensions, envelope: Envelope) -> int:
    """Assign extensions of a device, all or none, by one event."""
    entries = tuple(
        extension.ExtensionEntry(**msgspec.structs.asdict(each)) for each in command.assignments
    )
    return decide_on_device(
        store,
        command.device_id,
        lambda state: extension.assign_extensions(state, entries),
        envelope,
    )


def remove_extensions(store: Store, command: RemoveExtensions, envelope: Envelope) -> int:
    """Remove extensions entered by mistake."""
    return decide_on_device(
        store,
        command.device_id,
        lambda state: extension.remove_extensions(state, command.extensions),
        envelope,
    )

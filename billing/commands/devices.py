"""Commands on devices, and on their credentials for submission."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import count

import msgspec
import psycopg
from babel import Locale

from billing.aggregates import company, device
from billing.aggregates.event import Envelope, Event
from billing.commands.deciding import decide, decide_new, load_existing
from billing.credentials.passwords import generate_password, hash_password
from billing.log.store import Store
from billing.values import Refused


class RegisterDevice(msgspec.Struct, frozen=True, kw_only=True):
    device_id: str
    company_id: str
    name: str
    time_zone: str
    country: str
    area_code: str
    model: str = ""
    format: str = "auto"


class AssignTrunk(msgspec.Struct, frozen=True, kw_only=True):
    device_id: str
    trunk: str
    account: str
    valid_from: datetime | None = None


class ChangeDevice(msgspec.Struct, frozen=True, kw_only=True):
    """Replace the settings of a device by those in `change`."""

    device_id: str
    change: device.DeviceChanged


class DisableDevice(msgspec.Struct, frozen=True, kw_only=True):
    device_id: str
    reason: str


class EnableDevice(msgspec.Struct, frozen=True, kw_only=True):
    device_id: str


class SetCascade(msgspec.Struct, frozen=True, kw_only=True):
    device_id: str
    change: device.CascadeSet


class NameTenant(msgspec.Struct, frozen=True, kw_only=True):
    device_id: str
    tenant: str
    company_id: str


def register_device(store: Store, command: RegisterDevice, envelope: Envelope) -> int:
    """Register a device of a company; return the position of the event."""
    load_existing(store, f"company:{command.company_id}", company.evolve)
    return decide_new(
        store,
        f"device:{command.device_id}",
        device.evolve,
        lambda state: device.register_device(
            state,
            company_id=command.company_id,
            name=command.name,
            time_zone=command.time_zone,
            country=command.country,
            area_code=command.area_code,
            model=command.model,
            record_format=command.format,
            countries=Locale("en").territories,
        ),
        envelope,
    )


def change_device(store: Store, command: ChangeDevice, envelope: Envelope) -> int:
    """Edit a device; return the position of the event."""
    return decide_on_device(
        store,
        command.device_id,
        lambda state: device.change_device(
            state, command.change, countries=Locale("en").territories
        ),
        envelope,
    )


def disable_device(store: Store, command: DisableDevice, envelope: Envelope) -> int:
    """Refuse a device's submissions from now on; return the position of the event."""
    return decide_on_device(
        store,
        command.device_id,
        lambda state: device.disable_device(state, command.reason),
        envelope,
    )


def enable_device(store: Store, command: EnableDevice, envelope: Envelope) -> int:
    """Accept a device's submissions again; return the position of the event."""
    return decide_on_device(store, command.device_id, device.enable_device, envelope)


def set_cascade(store: Store, command: SetCascade, envelope: Envelope) -> int:
    """Set the device through which the calls of another one continue."""
    if command.change.upper:
        load_existing(store, f"device:{command.change.upper}", device.evolve)
    return decide_on_device(
        store,
        command.device_id,
        lambda state: device.set_cascade(state, command.change, device_id=command.device_id),
        envelope,
    )


def decide_on_device(
    store: Store,
    device_id: str,
    decision: Callable[[device.Device], Sequence[Event]],
    envelope: Envelope,
) -> int:
    """Decide on one device; return the position of the last event.

    Refused if there is no device.
    """
    return decide(store, f"device:{device_id}", device.evolve, decision, envelope)


def assign_trunk(store: Store, command: AssignTrunk, envelope: Envelope) -> int:
    """Let a gateway account pay for calls that come in by a trunk."""
    return decide(
        store,
        f"device:{command.device_id}",
        device.evolve,
        lambda state: device.assign_trunk(
            state, trunk=command.trunk, account=command.account, valid_from=command.valid_from
        ),
        envelope,
    )


def name_tenant(store: Store, command: NameTenant, envelope: Envelope) -> int:
    """Set the company that owns a tenant of a hosted device."""
    load_existing(store, f"company:{command.company_id}", company.evolve)
    return decide(
        store,
        f"device:{command.device_id}",
        device.evolve,
        lambda state: device.name_tenant(
            state, tenant=command.tenant, company_id=command.company_id
        ),
        envelope,
    )


def rotate_device_password(
    connection: psycopg.Connection, device_id: str, account: str, overlap_hours: int
) -> tuple[str, str]:
    """Create a new account for a device; `account` stays valid for `overlap_hours`.

    Returns the new account and its password, to be shown once.
    """
    stem = re.sub(r"-[0-9]+$", "", account)
    with connection.transaction():
        updated = connection.execute(
            "update device_credentials set valid_until = now() + make_interval(hours => %s)"
            " where account = %s and device_id = %s"
            " and (valid_until is null or valid_until > now()) returning account",
            (overlap_hours, account, device_id),
        ).fetchall()
        if not updated:
            raise Refused("This account is no longer valid.")
        taken = connection.execute(
            "select account from device_credentials where starts_with(account, %s)", (stem,)
        ).fetchall()
        names = {row[0] for row in taken}
        fresh = next(name for n in count(2) if (name := f"{stem}-{n}") not in names)
        return fresh, issue_device_password(connection, device_id, fresh)


def revoke_device_account(connection: psycopg.Connection, device_id: str, account: str) -> None:
    """Revoke an account of a device, effective immediately."""
    connection.execute(
        "update device_credentials set valid_until = now() where account = %s and device_id = %s",
        (account, device_id),
    )


def remove_device_account(connection: psycopg.Connection, account: str) -> None:
    """Delete an account that was created for a trial."""
    connection.execute("delete from device_credentials where account = %s", (account,))


def issue_device_password(
    connection: psycopg.Connection, device_id: str, account: str, password: str = ""
) -> str:
    """Create an account for submissions; return its password, to be shown once."""
    password = password or generate_password()
    try:
        connection.execute(
            "insert into device_credentials (account, device_id, password_hash)"
            " values (%s, %s, %s)",
            (account, device_id, hash_password(password)),
        )
    except psycopg.errors.UniqueViolation as error:
        raise Refused("The account name %(account)s is taken.", account=account) from error
    return password

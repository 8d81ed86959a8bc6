"""Commands on devices, and the credentials they submit with."""

from datetime import datetime

import msgspec
import psycopg
from babel import Locale

from billing.aggregates import company, device
from billing.aggregates.event import Envelope
from billing.commands.deciding import decide, decide_new, existing
from billing.passwords import generate_password, hash_password
from billing.rating.numbers import RoutePrefix
from billing.store import Store
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


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    extension: str
    account: str = ""  # '' = the company itself
    name: str = ""
    tenant: str = ""
    valid_from: datetime | None = None


class AssignExtensions(msgspec.Struct, frozen=True, kw_only=True):
    device_id: str
    assignments: tuple[Assignment, ...]


class AssignTrunk(msgspec.Struct, frozen=True, kw_only=True):
    device_id: str
    trunk: str
    account: str
    valid_from: datetime | None = None


class SetRoutePrefixes(msgspec.Struct, frozen=True, kw_only=True):
    device_id: str
    rules: tuple[RoutePrefix, ...]


class NameTenant(msgspec.Struct, frozen=True, kw_only=True):
    device_id: str
    tenant: str
    company_id: str


def register_device(store: Store, command: RegisterDevice, envelope: Envelope) -> int:
    """Register a device of a company."""
    existing(store, f"company:{command.company_id}", company.evolve)
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


def assign_extensions(store: Store, command: AssignExtensions, envelope: Envelope) -> int:
    """Assign many extensions of a device, all or none."""
    return decide(
        store,
        f"device:{command.device_id}",
        device.evolve,
        lambda state: [
            event
            for each in command.assignments
            for event in device.assign_extension(state, **msgspec.structs.asdict(each))
        ],
        envelope,
    )


def assign_trunk(store: Store, command: AssignTrunk, envelope: Envelope) -> int:
    """Let a gateway account pay for what comes in by a trunk."""
    return decide(
        store,
        f"device:{command.device_id}",
        device.evolve,
        lambda state: device.assign_trunk(
            state, trunk=command.trunk, account=command.account, valid_from=command.valid_from
        ),
        envelope,
    )


def set_route_prefixes(store: Store, command: SetRoutePrefixes, envelope: Envelope) -> int:
    """Replace the route prefixes of a device."""
    return decide(
        store,
        f"device:{command.device_id}",
        device.evolve,
        lambda state: device.set_route_prefixes(state, command.rules),
        envelope,
    )


def name_tenant(store: Store, command: NameTenant, envelope: Envelope) -> int:
    """Say whose calls a tenant of a hosted device carries."""
    existing(store, f"company:{command.company_id}", company.evolve)
    return decide(
        store,
        f"device:{command.device_id}",
        device.evolve,
        lambda state: device.name_tenant(
            state, tenant=command.tenant, company_id=command.company_id
        ),
        envelope,
    )


def issue_device_password(
    connection: psycopg.Connection, device_id: str, account: str, password: str = ""
) -> str:
    """Give a device an account for submissions; its password, to be shown once."""
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

"""Devices and their credentials for submission: commands that succeed or are refused."""

import psycopg
import pytest

from billing.aggregates.device import DeviceRegistered, TenantNamed, TrunkAssigned
from billing.aggregates.event import Event
from billing.aggregates.extension import ExtensionEntry, ExtensionsAssigned
from billing.aggregates.route_prefix import RoutePrefixesSet
from billing.cli.setup import said_here
from billing.commands import companies, devices, extensions, route_prefixes
from billing.commands.devices import issue_device_password
from billing.commands.extensions import Assignment
from billing.credentials.passwords import verify_password
from billing.log.store import Store
from billing.rating.numbers import RoutePrefix
from billing.values import Refused

ENVELOPE = said_here()
PBX = devices.RegisterDevice(
    device_id="pbx",
    company_id="acme",
    name="PBX",
    time_zone="Europe/Madrid",
    country="ES",
    area_code="91",
)


@pytest.fixture
def opened(store: Store) -> Store:
    companies.open_company(
        store,
        companies.OpenCompany(
            company_id="acme", name="Acme", currency="EUR", time_zone="Europe/Madrid"
        ),
        ENVELOPE,
    )
    return store


def events(store: Store) -> list[Event]:
    return [recorded.event for recorded in store.load("device:pbx")]


def test_a_device_is_registered_for_an_existing_company_only(store: Store) -> None:
    with pytest.raises(Refused, match="There is no company:acme"):
        devices.register_device(store, PBX, ENVELOPE)


def test_every_setting_of_a_device_is_an_event(opened: Store) -> None:
    devices.register_device(opened, PBX, ENVELOPE)
    extension = Assignment(extension="101", account="user:ana", name="Ana")
    extensions.assign_extensions(
        opened, extensions.AssignExtensions(device_id="pbx", assignments=(extension,)), ENVELOPE
    )
    devices.assign_trunk(
        opened, devices.AssignTrunk(device_id="pbx", trunk="gw1", account="gateway:x"), ENVELOPE
    )
    rule = RoutePrefix(order=1, prefix="9", min_rest=9, max_rest=15)
    route_prefixes.set_route_prefixes(
        opened, route_prefixes.SetRoutePrefixes(device_id="pbx", rules=(rule,)), ENVELOPE
    )
    tenant = devices.NameTenant(device_id="pbx", tenant="a.example", company_id="acme")
    devices.name_tenant(opened, tenant, ENVELOPE)
    assert events(opened) == [
        DeviceRegistered(
            company_id="acme", name="PBX", time_zone="Europe/Madrid", country="ES", area_code="91"
        ),
        ExtensionsAssigned(
            entries=(ExtensionEntry(extension="101", account="user:ana", name="Ana"),)
        ),
        TrunkAssigned(trunk="gw1", account="gateway:x"),
        RoutePrefixesSet(rules=(rule,)),
        TenantNamed(tenant="a.example", company_id="acme"),
    ]
    with pytest.raises(Refused, match="already registered"):
        devices.register_device(opened, PBX, ENVELOPE)


def test_extensions_are_assigned_all_or_none(opened: Store) -> None:
    devices.register_device(opened, PBX, ENVELOPE)
    some = (Assignment(extension="101"), Assignment(extension=""))
    with pytest.raises(Refused, match="needs a number"):
        extensions.assign_extensions(
            opened, extensions.AssignExtensions(device_id="pbx", assignments=some), ENVELOPE
        )
    assert len(events(opened)) == 1


def test_a_missing_device_is_named_in_the_refusal(opened: Store) -> None:
    with pytest.raises(Refused, match="There is no device:pbx"):
        route_prefixes.set_route_prefixes(
            opened, route_prefixes.SetRoutePrefixes(device_id="pbx", rules=()), ENVELOPE
        )
    with pytest.raises(Refused, match="There is no company:nobody"):
        devices.name_tenant(
            opened,
            devices.NameTenant(device_id="pbx", tenant="a", company_id="nobody"),
            ENVELOPE,
        )


def test_a_device_password_is_shown_once_and_kept_as_a_hash(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        given = issue_device_password(connection, "pbx", "acme", "s3cret")
        made = issue_device_password(connection, "pbx", "second")
        rows: dict[str, str] = dict(
            connection.execute("select account, password_hash from device_credentials").fetchall()
        )
        with pytest.raises(Refused, match="acme is taken"):
            issue_device_password(connection, "other", "acme")
    assert given == "s3cret"
    assert made != given
    assert verify_password(rows["acme"], "s3cret")
    assert verify_password(rows["second"], made)

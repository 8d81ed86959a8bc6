"""A call recorded by a device and by its upper device is stored twice and charged once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from billing.aggregates.call import CallLinked, CallVoided
from billing.aggregates.device import CascadeSet
from billing.cli.setup import said_here
from billing.commands import devices, route_prefixes
from billing.commands.calls import SubmitCalls, submit
from billing.commands.catalogue import Catalogue
from billing.log.store import Store
from billing.policies.cascades import Cascades
from billing.rating.numbers import RoutePrefix
from tests.commands.test_calls import record
from tests.ingest.serving import install
from tests.projections.sample import charges, runner

SAID = said_here()


@pytest.fixture
def cascaded(store: Store, database_url: str) -> Store:
    """`pbx` dials 0 to get out through `gw`, which records no 0."""
    install(database_url)
    install(database_url, "gw", "gw")
    rule = CascadeSet(upper="gw", charged="lower", start_seconds=10, duration_seconds=3)
    devices.set_cascade(store, devices.SetCascade(device_id="pbx", change=rule), SAID)
    prefix = RoutePrefix(order=1, prefix="0", min_rest=9, max_rest=9)
    setting = route_prefixes.SetRoutePrefixes(device_id="pbx", rules=(prefix,))
    route_prefixes.set_route_prefixes(store, setting, SAID)
    return store


def send(store: Store, device_id: str, key: str, seconds: int = 0, **changes: Any) -> None:
    at = datetime(2026, 11, 23, 10, tzinfo=UTC) + timedelta(seconds=seconds)
    told = record(key, **{"started_at": at, "answered_at": at, **changes})
    command = SubmitCalls(device_id=device_id, records=[told], envelope=SAID)
    submit(store, Catalogue(), [command])


def look(store: Store, url: str, cascades: Cascades) -> dict[str, str]:
    """Link all that can be linked; return the status of each call."""
    own = runner(url, store)
    own.catch_up()
    while cascades.watch(own._connection, store, SAID.recorded_at):  # noqa: SLF001 -- any connection
        own.catch_up()
    own.close()
    with psycopg.connect(url) as connection:
        return dict(connection.execute("select call_id, status from call_list").fetchall())


def test_a_pair_is_recognised_in_either_order_and_charged_once(
    cascaded: Store, database_url: str
) -> None:
    cascades = Cascades()
    send(cascaded, "gw", "up1", 4, billed_ms=58_000)
    assert look(cascaded, database_url, cascades) == {"2026-11:gw:up1": "rated"}
    send(cascaded, "pbx", "low1", called="0934567890")
    send(cascaded, "pbx", "low2", 600, called="0934567890")
    send(cascaded, "gw", "up2", 603)
    found = look(cascaded, database_url, cascades)
    assert found == {
        "2026-11:pbx:low1": "rated",
        "2026-11:pbx:low2": "rated",
        "2026-11:gw:up1": "voided",
        "2026-11:gw:up2": "voided",
    }
    assert set(charges(database_url).values()) == {36_000}
    events = [recorded.event for recorded in cascaded.load("call:2026-11:gw:up1")]
    assert isinstance(events[1], CallLinked)
    assert events[1].partner == "call:2026-11:pbx:low1"
    assert isinstance(events[2], CallVoided)
    before = len(cascaded.after(0, 1000))
    assert look(cascaded, database_url, Cascades()) == found
    assert len(cascaded.after(0, 1000)) == before


def test_calls_that_only_look_alike_are_both_charged(cascaded: Store, database_url: str) -> None:
    cascades = Cascades()
    send(cascaded, "pbx", "low1", called="0934567890")
    send(cascaded, "gw", "later", 11)
    send(cascaded, "gw", "longer", 1, billed_ms=64_000)
    send(cascaded, "gw", "elsewhere", 1, called="934567891")
    found = look(cascaded, database_url, cascades)
    assert set(found.values()) == {"rated"}
    send(cascaded, "gw", "one", 2)
    send(cascaded, "gw", "two", 1)
    found = look(cascaded, database_url, cascades)
    assert {each for each, status in found.items() if status == "voided"} == {"2026-11:gw:two"}

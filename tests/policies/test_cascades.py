"""A call recorded by a device and by its upper device is stored twice and charged once."""

from datetime import UTC, datetime, timedelta
from itertools import permutations, product
from typing import Any

import psycopg
import pytest

from billing.aggregates.call import CallLinked, CallVoided
from billing.aggregates.device import CascadeSet
from billing.cli.setup import said_here
from billing.commands import devices, extensions, route_prefixes
from billing.commands.calls import SubmitCalls, submit
from billing.commands.cascades import PartCalls, part_calls
from billing.commands.catalogue import Catalogue
from billing.log.store import Store
from billing.policies.cascades import Cascades
from billing.rating.numbers import RoutePrefix
from billing.values import Refused
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


def arrivals(count: int) -> list[tuple[tuple[int, ...], ...]]:
    """Every order in which records can arrive, cut into batches in every way."""
    found = []
    for order in permutations(range(count)):
        for cuts in product((False, True), repeat=count - 1):
            batches, begin = [], 0
            for end in (*(place for place, cut in enumerate(cuts, 1) if cut), count):
                batches.append(order[begin:end])
                begin = end
            found.append(tuple(batches))
    return found


# Device, name, seconds after the first, caller; and which of them are charged.
Told = tuple[str, str, int, str]
OWN_CALL: tuple[Told, ...] = (
    ("gw", "own", 1, "501"),  # closer than the twin
    ("pbx", "low", 0, "101"),
    ("gw", "twin", 4, "911000000"),
)
CHAIN: tuple[Told, ...] = (  # paired as they come, `low1` and `up2` would leave `low2` no partner
    ("pbx", "low1", 0, "101"),
    ("pbx", "low2", -10, "102"),
    ("gw", "up1", 1, "911000000"),
    ("gw", "up2", -3, "911000000"),
)


@pytest.mark.parametrize(
    ("told", "charged"),
    [(OWN_CALL, {"own", "low"}), (CHAIN, {"low1", "low2"})],
    ids=["own call of the upper device", "chain"],
)
def test_each_call_is_charged_once_in_whatever_order_and_batches_records_arrive(
    cascaded: Store, database_url: str, told: tuple[Told, ...], charged: set[str]
) -> None:
    reception = extensions.Assignment(extension="501", account="")
    assign = extensions.AssignExtensions(device_id="gw", assignments=(reception,))
    extensions.assign_extensions(cascaded, assign, SAID)
    cascades, ways = Cascades(), arrivals(len(told))
    found: dict[str, str] = {}
    for step in range(len(told)):
        commands = []
        for way, batches in enumerate(ways):  # each way calls a number of its own
            for number in batches[step] if step < len(batches) else ():
                device, name, seconds, caller = told[number]
                at = datetime(2026, 11, 23, 10, tzinfo=UTC) + timedelta(seconds=seconds)
                called = f"{'0' * (device == 'pbx')}9345{way:05}"
                changes = {"caller": caller, "called": called, "started_at": at}
                sent = record(f"{name}-{way}", answered_at=at, **changes)
                commands.append(SubmitCalls(device_id=device, records=[sent], envelope=SAID))
        submit(cascaded, Catalogue(), commands)
        found = look(cascaded, database_url, cascades)
    expected = {
        f"2026-11:{device}:{name}-{way}": "rated" if name in charged else "voided"
        for device, name, _, _ in told
        for way in range(len(ways))
    }
    assert found == expected
    assert set(charges(database_url).values()) == {18_000 * len(charged) * len(ways)}
    before = cascaded.after(0, 100_000)[-1].position
    assert look(cascaded, database_url, Cascades()) == found
    assert cascaded.after(0, 100_000)[-1].position == before


def pairs(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "select charged_id, other_id, apart_us, longer_ms, start_seconds, duration_seconds,"
            " parted_by, reason, closer from cascade_pairs order by position"
        ).fetchall()


def test_a_person_parts_a_pair_and_it_stays_parted(cascaded: Store, database_url: str) -> None:
    cascades = Cascades()
    send(cascaded, "pbx", "low", called="0934567890")
    send(cascaded, "gw", "own", 1, billed_ms=61_000)
    assert look(cascaded, database_url, cascades)["2026-11:gw:own"] == "voided"
    part = PartCalls(stream="call:2026-11:gw:own", reason=" Sold directly ")
    with pytest.raises(Refused, match="Enter a reason"):
        part_calls(cascaded, PartCalls(stream=part.stream, reason=" "), SAID)
    part_calls(cascaded, part, SAID)
    with pytest.raises(Refused, match="not paired"):
        part_calls(cascaded, part, SAID)
    again = look(cascaded, database_url, cascades)
    assert set(again.values()) == {"rated"}
    assert look(cascaded, database_url, Cascades()) == again
    send(cascaded, "gw", "twin", 4)
    found = look(cascaded, database_url, cascades)
    assert {each for each, status in found.items() if status == "voided"} == {"2026-11:gw:twin"}
    amount = 18_000 + 18_300
    assert set(charges(database_url).values()) == {amount}
    low = "2026-11:pbx:low"
    rows = [
        (low, "2026-11:gw:own", 1_000_000, 1_000, 10, 3, SAID.actor, "Sold directly", ""),
        (low, "2026-11:gw:twin", 4_000_000, 0, 10, 3, "", "", ""),
    ]
    assert pairs(database_url) == rows
    with psycopg.connect(database_url, autocommit=True) as connection:
        for table in ("cascade_pairs", "cascade_records", "cascade_rules"):
            connection.execute(f"truncate {table}")
        connection.execute("update checkpoints set position = 0 where name = 'cascades'")
    assert look(cascaded, database_url, Cascades()) == found
    assert pairs(database_url) == rows

"""Events become rows: the contents of each read model, independent of how it was fed."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.aggregates.call import CallRated
from billing.aggregates.device import DeviceChanged, DeviceDisabled
from billing.aggregates.extension import (
    ExtensionEntry,
    ExtensionsAssigned,
    ExtensionsRemoved,
)
from billing.log.store import Store
from billing.projections import runner as running
from billing.projections.runner import Runner
from billing.values import Refused
from tests.projections.sample import (
    INSTALLATION,
    SAID,
    ZONE,
    append,
    charges,
    conflicting,
    received,
    rerated,
    rows,
    runner,
    stream,
    voided,
)


@pytest.fixture
def projected(database_url: str, store: Store) -> Iterator[Runner]:
    append(store, INSTALLATION)
    own = runner(database_url, store)
    own.catch_up()
    yield own
    own.close()


def ask(url: str, query: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def test_a_rated_call_is_listed_counted_and_charged(
    database_url: str, store: Store, projected: Runner
) -> None:
    event = received(1, 18_000)
    append(store, [(stream(event), event)])
    projected.catch_up()
    assert ask(database_url, "select number, status, amount_micros from call_list") == [
        ("+34912345678", "rated", 18_000)
    ]
    # 22:30 UTC on the 24th is 00:30 on the 25th in Madrid.
    assert ask(database_url, "select day, class, calls, amount_micros from daily_usage") == [
        (date(2026, 10, 25), "local", 1, 18_000)
    ]
    assert ask(database_url, "select balance_micros, calls from balances order by account") == [
        (49_982_000, 1),
        (0, 0),
    ]
    assert ask(database_url, "select calls, suspended from devices") == [(1, 0)]


def test_the_account_with_a_wallet_pays(database_url: str, store: Store, projected: Runner) -> None:
    event = received(1, 18_000, user=True)
    append(store, [(stream(event), event)])
    projected.catch_up()
    assert ask(database_url, "select balance_micros from balances where account = 'user:ana'") == [
        (-18_000,)
    ]


def test_a_suspended_call_is_listed_and_charged_once_it_is_rated(
    database_url: str, store: Store, projected: Runner
) -> None:
    event, later = received(1, 0, suspended=True), received(1, 7_000)
    append(store, [(stream(event), event)])
    projected.catch_up()
    assert ask(database_url, "select status, reason from call_list") == [("suspended", "no_rate")]
    assert set(charges(database_url).values()) == {0}
    append(store, [(stream(event), later)])
    projected.catch_up()
    assert ask(database_url, "select status, reason from call_list") == [("rated", "")]
    assert set(charges(database_url).values()) == {7_000}


def test_a_voided_call_is_refunded_and_stays_listed(
    database_url: str, store: Store, projected: Runner
) -> None:
    event = received(1, 18_000)
    append(store, [(stream(event), event)])
    projected.catch_up()
    append(store, [(stream(event), voided(event))])
    projected.catch_up()
    assert ask(database_url, "select status, reason from call_list") == [("voided", "merged")]
    assert set(charges(database_url).values()) == {0}


def test_a_re_rated_call_refunds_the_old_charge_and_posts_the_new_one(
    database_url: str, store: Store, projected: Runner
) -> None:
    event = received(1, 18_000)
    append(store, [(stream(event), event)])
    projected.catch_up()
    append(store, [(stream(event), rerated(event, 5_000, user=True))])
    projected.catch_up()
    assert ask(database_url, "select status, amount_micros from call_list") == [("rerated", 5_000)]
    assert ask(database_url, "select account, charged_micros, calls from balances order by 1") == [
        ("company:acme", 0, 0),
        ("user:ana", 5_000, 1),
    ]
    assert set(charges(database_url).values()) == {5_000}


def test_the_suspended_calls_of_a_device_are_counted_down_as_they_are_settled(
    database_url: str, store: Store, projected: Runner
) -> None:
    events = [received(number, 0, suspended=True) for number in range(1, 4)]
    append(store, [(stream(event), event) for event in events])
    append(store, [(stream(events[0]), received(1, 7_000))])
    append(store, [(stream(events[1]), voided(events[1]))])
    projected.catch_up()
    assert ask(database_url, "select calls, suspended from devices") == [(3, 1)]


def test_a_device_shows_its_last_record_and_how_late_it_sends(
    database_url: str, store: Store, projected: Runner
) -> None:
    event = received(1, 18_000)
    assert isinstance(event, CallRated)
    received_at = SAID.recorded_at
    ended = msgspec.structs.replace(event.cdr, ended_at=received_at + timedelta(seconds=90))
    append(store, [(stream(event), msgspec.structs.replace(event, cdr=ended))])
    many = ExtensionsAssigned(
        entries=(
            ExtensionEntry(extension="101", name="Ana", valid_from=received_at),
            ExtensionEntry(extension="102", tenant="t"),
        )
    )
    changed = DeviceChanged(
        name="New", time_zone=ZONE, country="ES", area_code="91", allowed_addresses=("192.0.2.1",)
    )
    own = "device:pbx"
    one = ExtensionsAssigned(entries=(ExtensionEntry(extension="101"),))
    append(store, [(own, one), (own, many), (own, changed)])
    append(store, [(own, ExtensionsRemoved(extensions=(("t", "102"),)))])
    append(store, [(own, DeviceDisabled(reason="sold"))])
    projected.catch_up()
    query = "select name, allowed_addresses, extensions, enabled, disabled_reason from devices"
    assert ask(database_url, query) == [("New", ["192.0.2.1"], 1, False, "sold")]
    assert ask(database_url, "select records, least_delay_ms from device_hours") == [(1, -90_000)]
    query = "select extension, name, valid_from > '-infinity' from extension_assignments order by 3"
    assert ask(database_url, query) == [("101", "", False), ("101", "Ana", True)]


def test_conflicts_are_counted_beside_the_call(
    database_url: str, store: Store, projected: Runner
) -> None:
    event = received(1, 18_000)
    append(store, [(stream(event), event), (stream(event), conflicting(event))])
    projected.catch_up()
    append(store, [(stream(event), conflicting(event)), (stream(event), voided(event))])
    projected.catch_up()
    assert ask(database_url, "select status, conflicts from call_list") == [("voided", 2)]


# The server ends the statement as it does when it is shut down.
SHUT_DOWN = """
create function stop() returns trigger language plpgsql as
 $$ begin raise exception 'shut down' using errcode = '57P01'; end $$;
create trigger stop before insert or update on balances for each row execute function stop()"""


def test_a_crash_commits_neither_rows_nor_position(
    database_url: str, store: Store, projected: Runner
) -> None:
    before = rows(database_url)
    event = received(1, 18_000)
    append(store, [(stream(event), event)])
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(SHUT_DOWN)
        with pytest.raises(psycopg.errors.AdminShutdown):
            projected.catch_up()
        assert rows(database_url) == before
        connection.execute("drop trigger stop on balances")
    projected.catch_up()
    assert set(charges(database_url).values()) == {18_000}


def test_a_rebuild_gives_the_same_rows_and_leaves_the_others_alone(
    database_url: str, store: Store, projected: Runner
) -> None:
    events = [received(n, 1_000 * n, suspended=n % 4 == 0) for n in range(1, 30)]
    append(store, [(stream(event), event) for event in events])
    projected.catch_up()
    before = rows(database_url)
    for name in ("calls", "usage", "balances", "accounts", "devices"):
        projected.rebuild(name)
        projected.catch_up()
        assert rows(database_url) == before
    with pytest.raises(Refused, match="no projection nothing"):
        projected.rebuild("nothing")


def test_two_runners_at_once_count_nothing_twice(
    database_url: str, store: Store, projected: Runner
) -> None:
    other = runner(database_url, store)
    for n in range(1, 20):
        event = received(n, 1_000)
        append(store, [(stream(event), event)])
        (projected if n % 2 else other).step()
    other.catch_up()
    projected.catch_up()
    other.close()
    assert set(charges(database_url).values()) == {19_000}


@pytest.mark.usefixtures("projected")
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    calls=st.lists(
        st.tuples(
            st.integers(0, 10**12),
            st.booleans(),
            st.sampled_from(["rated", "suspended", "recycled", "voided", "conflict", "rerated"]),
        ),
        max_size=12,
    ),
    batch=st.integers(1, 9),
)
def test_every_read_model_has_the_charges_of_the_log_after_any_history(
    database_url: str, store: Store, calls: list[tuple[int, bool, str]], batch: int
) -> None:
    own = runner(database_url, store)
    taken = len(store.after(0, 100_000))
    expected = charges(database_url)["call_list"]
    for number, (micros, user, fate) in enumerate(calls, start=taken):
        event = received(number, micros, user=user, suspended=fate in ("suspended", "recycled"))
        life = [event]
        if fate == "recycled":
            life.append(received(number, micros, user=user))
        if fate == "voided":
            life.append(voided(event))
        if fate == "conflict":
            life.append(conflicting(event))
        if fate == "rerated":
            life.append(rerated(event, 7 * micros, user=not user))
            life.append(rerated(received(number, 7 * micros, user=not user), 3 * micros))
            expected += 3 * micros
        append(store, [(stream(event), each) for each in life])
        expected += micros if fate in ("rated", "recycled", "conflict") else 0
    usual, running.BATCH = running.BATCH, batch
    try:
        own.catch_up()
    finally:
        running.BATCH = usual
    small = rows(database_url)
    assert set(charges(database_url).values()) == {expected}
    for name in ("calls", "usage", "balances", "devices"):
        own.rebuild(name)
    own.catch_up()
    own.close()
    assert rows(database_url) == small

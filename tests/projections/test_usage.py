"""The roll-ups: the accounts, the hour and the local day that a call is added to."""

from typing import Any

import psycopg

from billing.log.store import Store
from billing.projections import projections
from billing.projections.runner import Runner
from tests.projections.sample import INSTALLATION, append, received, runner, stream, voided


def ask(url: str, query: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def test_a_call_is_added_to_each_of_its_accounts(database_url: str, store: Store) -> None:
    event = received(1, 18_000, user=True)
    append(store, [*INSTALLATION, (stream(event), event)])
    own = runner(database_url, store)
    own.catch_up()
    accounts = [("*",), ("company:acme",), ("device:pbx",), ("users:",), ("users:acme",)]
    assert ask(database_url, "select account from usage_days order by 1") == accounts
    hours = "select account, day::text, hour, answered from usage_hours where account = '*'"
    assert ask(database_url, hours) == [("*", "2026-10-25", 0, 1)]
    append(store, [(stream(event), voided(event))])
    own.catch_up()
    own.close()
    for table in ("usage_days", "usage_hours", "usage_areas", "daily_usage"):
        assert ask(database_url, f"select distinct calls, amount_micros from {table}") == [(0, 0)]


def test_days_are_local_even_across_a_clock_change(database_url: str, store: Store) -> None:
    # 00:30 to 02:30 UTC on the night of the clock change: 02:30 twice, then 03:30.
    events = [received(number, 1_000) for number in (3, 4, 5)]
    append(store, [*INSTALLATION, *((stream(event), event) for event in events)])
    own = runner(database_url, store)
    own.catch_up()
    own.close()
    found = ask(database_url, "select hour, calls from usage_hours where account = '*' order by 1")
    assert found == [(2, 2), (3, 1)]


def test_another_zone_rebuilds_the_roll_ups(database_url: str, store: Store) -> None:
    event = received(1, 18_000)  # 00:30 in Madrid, late afternoon in Lima
    append(store, [*INSTALLATION, (stream(event), event)])
    days = "select day::text, calls from usage_days where account = '*'"
    for zone, day in (("Europe/Madrid", "2026-10-25"), ("America/Lima", "2026-10-24")) * 2:
        own = Runner(database_url, store, projections(zone))
        own.catch_up()
        own.close()
        assert ask(database_url, days) == [(day, 1)]

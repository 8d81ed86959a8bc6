"""The roll-ups: under which accounts a call is added up, in which hour, and in whose days."""

from typing import Any

import psycopg

from billing.log.store import Store
from billing.projections import projections
from billing.projections.runner import Runner
from tests.projections.sample import INSTALLATION, append, received, runner, stream, voided


def ask(url: str, query: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def test_a_call_is_added_up_under_each_account_it_has(database_url: str, store: Store) -> None:
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


def test_days_are_local_also_over_the_change_of_the_clock(database_url: str, store: Store) -> None:
    # 00:30 to 02:30 UTC on the night the clocks go back: 02:30 twice, then 03:30.
    events = [received(number, 1_000) for number in (3, 4, 5)]
    append(store, [*INSTALLATION, *((stream(event), event) for event in events)])
    own = runner(database_url, store)
    own.catch_up()
    own.close()
    found = ask(database_url, "select hour, calls from usage_hours where account = '*' order by 1")
    assert found == [(2, 2), (3, 1)]


def test_another_zone_makes_the_roll_ups_anew(database_url: str, store: Store) -> None:
    event = received(1, 18_000)  # half past midnight in Madrid, late afternoon in Lima
    append(store, [*INSTALLATION, (stream(event), event)])
    days = "select day::text, calls from usage_days where account = '*'"
    for zone, day in (("Europe/Madrid", "2026-10-25"), ("America/Lima", "2026-10-24")) * 2:
        own = Runner(database_url, store, projections(zone))
        own.catch_up()
        own.close()
        assert ask(database_url, days) == [(day, 1)]

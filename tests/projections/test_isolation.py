"""A read model that refuses an event sets that one aside; it never holds the others back."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import psycopg
from psycopg import Cursor

from billing.aggregates.account import AccountRecharged
from billing.aggregates.event import Unreadable
from billing.commands.catalogue import Catalogue
from billing.log.store import Recorded, Store
from billing.projections import Projection, balances, projections
from billing.projections.runner import Runner
from tests.projections.sample import INSTALLATION, ZONE, append

BAD = 13_000_000  # micro-units that the test's read model refuses
ASIDE = "select name, position from set_aside order by position"


def recharges(*amounts: int) -> list[tuple[str, AccountRecharged]]:
    """Recharges of a company, in micro-units."""
    return [
        ("company:acme", AccountRecharged(amount_micros=each, currency="EUR", reason="cash"))
        for each in amounts
    ]


def refusing(cursor: Cursor[Any], batch: Sequence[Recorded]) -> None:
    """The balances, by a program that has a bug for one amount."""
    for recorded in batch:
        if getattr(recorded.event, "amount_micros", 0) == BAD:
            raise KeyError(recorded.position)
    balances.apply(cursor, batch, zone=ZONE)


def with_bug() -> list[Projection]:
    """All read models; the one of the balances has the bug."""
    return [
        Projection(each.name, each.tables, refusing, zone=each.zone)
        if each.name == balances.NAME
        else each
        for each in projections(ZONE)
    ]


def balance(url: str) -> int:
    """The balance of the company, in micro-units."""
    with psycopg.connect(url) as connection:
        ((micros,),) = connection.execute(
            "select balance_micros from balances where account = 'company:acme'"
        ).fetchall()
        return int(micros)


def test_one_bad_event_is_set_aside_and_read_again_by_a_rebuild(
    store: Store, database_url: str
) -> None:
    append(store, [*INSTALLATION, *recharges(*range(1, 40), BAD, *range(40, 60))])
    whole = 50_000_000 + sum(range(1, 60)) + BAD
    with closing(Runner(database_url, store, with_bug())) as runner:
        runner.catch_up()
        assert balance(database_url) == whole - BAD
        with psycopg.connect(database_url) as connection:
            aside = connection.execute(ASIDE).fetchall()
            assert [name for name, _ in aside] == ["balances"]
            assert store.at([aside[0][1]])[0].event == recharges(BAD)[0][1]
            movements = connection.execute("select count(*) from operations").fetchone()
            assert movements == (len(INSTALLATION) + 60,)
    with closing(Runner(database_url, store, projections(ZONE))) as runner:
        runner.rebuild("balances")
        runner.catch_up()
        assert balance(database_url) == whole
        with psycopg.connect(database_url) as connection:
            assert connection.execute(ASIDE).fetchall() == []


def test_an_event_that_can_not_be_decoded_is_set_aside_by_all_and_stops_none(
    store: Store, database_url: str
) -> None:
    append(store, [*INSTALLATION, *recharges(1, 2, 3)])
    bad = store.load("company:acme")[2]
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "update billing_events set state = convert_to(replace(convert_from(state, 'UTF8'), %s,"
            " '7'), 'UTF8') where notification_id = %s",
            ('"cash"', bad.position),
        )
    assert [type(each.event) for each in store.load("company:acme")][2:] == [
        Unreadable,
        AccountRecharged,
        AccountRecharged,
    ]
    Catalogue().refresh(store)
    with closing(Runner(database_url, store, projections(ZONE))) as runner:
        runner.catch_up()
    assert balance(database_url) == 50_000_000 + 2 + 3
    with psycopg.connect(database_url) as connection:
        aside: dict[str, int] = dict(connection.execute(ASIDE).fetchall())
        (error,) = connection.execute("select error from set_aside").fetchone() or ("",)
    assert aside == dict.fromkeys(
        [*(each.name for each in projections(ZONE)), "catalogue"], bad.position
    )
    assert "Expected `str`, got `int`" in error


def test_a_read_model_that_refuses_everything_is_held_back_and_nothing_is_set_aside_for_ever(
    store: Store, database_url: str
) -> None:
    append(store, [*INSTALLATION, *recharges(*[BAD] * 300)])
    with closing(Runner(database_url, store, with_bug())) as runner:
        runner.catch_up()
    with psycopg.connect(database_url) as connection:
        positions: dict[str, int] = dict(
            connection.execute("select name, position from checkpoints").fetchall()
        )
        (set_aside,) = connection.execute("select count(*) from set_aside").fetchone() or (0,)
    assert positions["accounts"] == max(positions.values()) > positions["balances"]
    assert set_aside <= 100
    with closing(Runner(database_url, store, projections(ZONE))) as runner:
        runner.rebuild("balances")
        runner.catch_up()
    assert balance(database_url) == 50_000_000 + 300 * BAD

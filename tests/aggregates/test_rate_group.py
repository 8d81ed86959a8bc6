"""Rate groups: creating, and setting prices."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.aggregates import rate_group
from billing.aggregates.rate_group import (
    DeckImported,
    DeckImportUndone,
    RateGroupCreated,
    RateGroupDeleted,
    RatesChanged,
    change_rates,
    create_rate_group,
    delete_rate_group,
    end_rate,
    remaining,
    undo_import,
)
from billing.rating.rates import Rate, RateGroup, RateKey, Tier
from tests.given import given

CREATED = RateGroupCreated(name="Standard", currency="EUR")
SPAIN = Rate(name="España", prefix="34", tiers=(Tier(price="0.018"),))
CREATING: dict[str, Any] = {"name": " Standard ", "currency": "EUR", "defaults": (SPAIN,)}


def test_a_rate_group_is_created_once_with_its_default_rates() -> None:
    given(rate_group).when(create_rate_group, **CREATING).then(
        CREATED, RatesChanged(rates=(SPAIN,))
    )
    given(rate_group, CREATED).when(create_rate_group, **CREATING).then_refused("already exists")


def test_a_rate_group_needs_a_name() -> None:
    nameless = {**CREATING, "name": " "}
    given(rate_group).when(create_rate_group, **nameless).then_refused("needs a name")


def test_prices_of_one_import_are_one_event() -> None:
    germany = Rate(name="Alemania", prefix="49", tiers=(Tier(price="0.058"),))
    given(rate_group, CREATED).when(change_rates, (SPAIN, germany)).then(
        RatesChanged(rates=(SPAIN, germany))
    )


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Rate(name="x", prefix="34"), "x: the price is missing"),
        (Rate(name="x", tiers=(Tier(price="1"),)), "a prefix, a class or an area"),
        (Rate(name="x", prefix="34", tiers=(Tier(price="-1"),)), "can't be negative"),
        (Rate(name="x", prefix="٣٤", tiers=(Tier(price="1"),)), "digits only"),
    ],
    ids=["no price", "no prefix", "negative", "digits of another alphabet"],
)
def test_one_invalid_price_refuses_them_all(wrong: Rate, words: str) -> None:
    given(rate_group, CREATED).when(change_rates, (SPAIN, wrong)).then_refused(words)


EARLIER = RatesChanged(rates=(SPAIN,))
DEARER = Rate(name="España", prefix="34", tiers=(Tier(price="0.03"),))
PERU = Rate(name="Perú", prefix="51", tiers=(Tier(price="0.04"),))
IMPORTED = DeckImported(import_id="1", file_name="a.csv", rates=(DEARER, PERU))


def test_undoing_an_import_restores_replaced_prices_and_removes_new_ones() -> None:
    left = given(rate_group, CREATED, EARLIER).state
    given(rate_group, CREATED, EARLIER, IMPORTED).when(undo_import, IMPORTED, left).then(
        DeckImportUndone(
            import_id="1", file_name="a.csv", rates=(SPAIN,), removed=(RateKey(prefix="51"),)
        )
    )


def test_undoing_an_import_keeps_later_changes_and_works_once() -> None:
    again = RatesChanged(rates=(Rate(name="Perú", prefix="51", tiers=(Tier(price="0.05"),)),))
    undone = DeckImportUndone(import_id="1", file_name="a.csv", rates=(SPAIN,))
    history = (CREATED, EARLIER, IMPORTED, again)
    assert list(remaining(history, ())) == [CREATED, EARLIER, again]
    left = given(rate_group, CREATED, EARLIER, again).state
    given(rate_group, *history).when(undo_import, IMPORTED, left).then(undone)
    given(rate_group, *history, undone).when(undo_import, IMPORTED, left).then_refused("undone")


def test_calls_of_an_ended_price_use_a_shorter_prefix() -> None:
    mobile = Rate(name="móvil", prefix="346", tiers=(Tier(price="0.1"),))
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    group = RateGroup("g", "g", "EUR", (SPAIN, mobile))
    ended = group.with_changes([RateKey(prefix="346", effective_from=noon)])
    for at, name in ((noon - timedelta(seconds=1), "móvil"), (noon, "España")):
        found = ended.by_prefix("34600123456", at)
        assert found is not None
        assert found.rate.name == name


def test_a_group_in_use_and_its_default_prices_can_not_be_removed() -> None:
    given(rate_group, CREATED).when(delete_rate_group, in_use=True).then_refused("can't be deleted")
    given(rate_group, CREATED, RateGroupDeleted()).when(change_rates, (SPAIN,)).then_refused(
        "was deleted"
    )
    key = RateKey(call_class="local", effective_from=datetime(2026, 1, 1, tzinfo=UTC))
    given(rate_group, CREATED).when(end_rate, key).then_refused("Every rate group has")

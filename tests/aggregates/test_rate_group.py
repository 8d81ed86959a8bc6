"""Rate groups: creating, and setting prices."""

from typing import Any

import pytest

from billing.aggregates import rate_group
from billing.aggregates.rate_group import (
    RateGroupCreated,
    RatesChanged,
    change_rates,
    create_rate_group,
)
from billing.rating.rates import Rate, Tier
from tests.given import given

CREATED = RateGroupCreated(name="Standard", currency="EUR")
SPAIN = Rate(name="España", prefix="34", tiers=(Tier(price="0.018"),))
CREATING: dict[str, Any] = {"name": " Standard ", "currency": "EUR", "defaults": (SPAIN,)}


def test_a_rate_group_is_created_once_with_its_default_rates() -> None:
    given(rate_group).when(create_rate_group, **CREATING).then(
        CREATED, RatesChanged(rates=(SPAIN,))
    )
    given(rate_group, CREATED).when(create_rate_group, **CREATING).then_refused("exists already")


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
        (Rate(name="x", prefix="34"), "x: there is no price"),
        (Rate(name="x", tiers=(Tier(price="1"),)), "a prefix, a class or an area"),
        (Rate(name="x", prefix="34", tiers=(Tier(price="-1"),)), "not negative"),
        (Rate(name="x", prefix="٣٤", tiers=(Tier(price="1"),)), "digits only"),
    ],
    ids=["no price", "no prefix", "negative", "digits of another alphabet"],
)
def test_one_impossible_price_refuses_them_all(wrong: Rate, words: str) -> None:
    given(rate_group, CREATED).when(change_rates, (SPAIN, wrong)).then_refused(words)

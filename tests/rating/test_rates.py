"""Valid rates, the version in force, and how a group selects."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from billing.rating.rates import (
    CLASSES,
    Band,
    Rate,
    RateGroup,
    Tier,
    compile_rate,
    seconds_of_day,
    validate_rate,
)
from billing.values import Refused

MAY, JUNE, JULY = (datetime(2026, month, 1, tzinfo=UTC) for month in (5, 6, 7))
TIERS = (Tier(price="0.06"),)


def rate(prefix: str = "34", price: str = "0.06", **fields: Any) -> Rate:
    """A rate for a prefix unless a class or an area is given."""
    if "call_class" in fields or "area" in fields:
        prefix = ""
    return Rate(**{"name": "R", "prefix": prefix, "tiers": (Tier(price=price),), **fields})


def band(**fields: Any) -> Band:
    """A band that may be invalid in one field."""
    return Band(**{"name": "B", "tiers": TIERS, **fields})


def group(*rates: Rate) -> RateGroup:
    """A group of these rates."""
    return RateGroup("g1", "Standard", "EUR", rates)


def price_of(found: Any) -> str | None:
    """The price of a compiled rate's first tier."""
    return found.rate.tiers[0].price if found else None


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"area": "Madrid"},
        {"free_below_s": 3, "min_cost": "0.01", "max_cost": "5", "decimals": 6, "rounding": "up"},
        {"tiers": (), "bands": (band(),)},
        {"tiers": (), "forbidden": True},
        {"tiers": (Tier(price="0.1", increment_s=60), Tier(from_s=60, price="0.1"))},
        {"bands": (band(from_time="22:00", to_time="06:00", dates=("2028-02-29",)),)},
        *({"call_class": each} for each in CLASSES),
    ],
)
def test_a_valid_rate_is_accepted(fields: dict[str, Any]) -> None:
    validate_rate(rate(**fields))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prefix": ""}, "a prefix, a class or an area"),
        ({"prefix": "+34"}, "digits only"),
        ({"prefix": "34 91"}, "digits only"),
        ({"prefix": "\u0663\u0664"}, "digits only"),
        ({"call_class": "lunar"}, "unknown class"),
        ({"decimals": 7}, "0 to 6 decimals"),
        ({"decimals": -1}, "0 to 6 decimals"),
        ({"free_below_s": -1}, "0 to 6 decimals"),
        ({"tiers": ()}, "the price is missing"),
        ({"price": "-0.01"}, "can't be negative"),
        ({"price": "1e3"}, "not a plain decimal"),
        ({"price": "0.123456789"}, "more than 8 decimals"),
        ({"connect_fee": "-1"}, "can't be negative"),
        ({"min_cost": "-1"}, "can't be negative"),
        ({"max_cost": "much"}, "not a plain decimal"),
        ({"tiers": (Tier(from_s=1, price="0"),)}, "must begin at second 0"),
        ({"tiers": (Tier(price="0"), Tier(price="1"))}, "after the one before"),
        ({"tiers": (Tier(price="0", unit_s=0),)}, "at least 1 s"),
        ({"tiers": (Tier(price="0", increment_s=0),)}, "at least 1 s"),
        ({"bands": (band(tiers=()),)}, "must begin at second 0"),
        ({"bands": (band(connect_fee="-1"),)}, "can't be negative"),
        ({"bands": (band(from_time="25:00"),)}, "not a time of day"),
        ({"bands": (band(to_time="noon"),)}, "not a time of day"),
        ({"bands": (band(dates=("2026-02-29",)),)}, "2026-02-29 is not a date"),
        ({"bands": (band(days=(0,)),)}, "0 is not a date"),
        ({"bands": (band(days=(8,)),)}, "8 is not a date"),
    ],
)
def test_an_invalid_rate_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        validate_rate(rate(**fields))


def test_a_rate_has_one_key_only() -> None:
    with pytest.raises(Refused, match="a prefix, a class or an area"):
        validate_rate(Rate(name="R", prefix="34", area="Madrid", tiers=TIERS))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({"to_time": "12:00"}, {"from_time": "11:59"}),
        ({"days": (1, 2)}, {"days": (2, 3)}),
        ({"days": (1,)}, {"from_time": "22:00", "to_time": "06:00"}),
        # Friday's night ends on Saturday.
        ({"days": (5,), "from_time": "22:00", "to_time": "06:00"}, {"days": (6,)}),
        ({"days": (7,), "from_time": "22:00", "to_time": "06:00"}, {"days": (1,)}),
        ({"dates": ("2026-12-25",)}, {"dates": ("2026-12-25",)}),
        ({"dates": ("2026-12-25",)}, {"days": (5,)}),  # a Friday
        ({"dates": ("2026-12-31",), "from_time": "20:00", "to_time": "02:00"}, {"days": (5,)}),
    ],
)
def test_bands_of_equal_weight_must_not_overlap(one: dict[str, Any], other: dict[str, Any]) -> None:
    wrong = rate(bands=(band(**{**one, "name": "one"}), band(**{**other, "name": "other"})))
    with pytest.raises(Refused, match="the bands one and other overlap"):
        validate_rate(wrong)
    validate_rate(rate(bands=(band(**one), band(**{**other, "weight": 1}))))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"to_time": "12:00"}, {"from_time": "12:00"}),
        ({"days": (1, 2)}, {"days": (3, 4)}),
        ({"from_time": "22:00", "to_time": "06:00"}, {"from_time": "06:00", "to_time": "22:00"}),
        # Friday morning does not belong to Friday's night.
        (
            {"days": (5,), "from_time": "22:00", "to_time": "06:00"},
            {"days": (5,), "from_time": "00:00", "to_time": "06:00"},
        ),
        ({"dates": ("2026-12-25",)}, {"dates": ("2026-12-26",)}),
        ({"dates": ("2026-12-25",)}, {"days": (6, 7)}),
    ],
)
def test_bands_that_never_overlap_may_have_equal_weights(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    validate_rate(rate(bands=(band(**one), band(**other))))


def test_a_time_of_day_is_seconds_since_midnight() -> None:
    assert seconds_of_day("00:00") == 0
    assert seconds_of_day("08:30") == seconds_of_day("08:30:00") == 30_600
    assert seconds_of_day("24:00") == seconds_of_day("24:00:00") == 86_400


# --- selection -------------------------------------------------------------------------------


def test_the_rate_of_the_longest_prefix_is_selected() -> None:
    prices = group(rate("34", "0.06"), rate("346", "0.12"))
    assert price_of(prices.by_prefix("34600000000", MAY)) == "0.12"
    assert price_of(prices.by_prefix("34911234567", MAY)) == "0.06"
    assert prices.by_prefix("4420", MAY) is None


def test_the_version_in_force_is_the_newest_that_has_begun() -> None:
    prices = group(
        rate(price="0.08", effective_from=JULY),
        rate(price="0.06"),
        rate(price="0.07", effective_from=JUNE),
    )
    just_before = timedelta(microseconds=1)
    for at, price in (
        (MAY, "0.06"),
        (JUNE - just_before, "0.06"),
        (JUNE, "0.07"),
        (JULY - just_before, "0.07"),
        (JULY, "0.08"),
    ):
        assert price_of(prices.by_prefix("34911234567", at)) == price


def test_a_shorter_prefix_applies_until_a_longer_one_begins() -> None:
    prices = group(rate("34", "0.06"), rate("346", "0.12", effective_from=JUNE))
    assert price_of(prices.by_prefix("34600000000", MAY)) == "0.06"
    assert price_of(prices.by_prefix("34600000000", JUNE)) == "0.12"
    assert group(rate(effective_from=JUNE)).by_prefix("34911234567", MAY) is None


def test_classes_and_areas_have_versions_too() -> None:
    prices = group(
        rate(call_class="local", price="0.01"),
        rate(call_class="local", price="0.02", effective_from=JUNE),
        rate(area="Madrid", price="0.03", effective_from=JUNE),
    )
    assert price_of(prices.by_class("local", MAY)) == "0.01"
    assert price_of(prices.by_class("local", JUNE)) == "0.02"
    assert prices.by_class("national", JUNE) is None
    assert prices.by_area("Madrid", MAY) is None
    assert price_of(prices.by_area("Madrid", JUNE)) == "0.03"


def test_changes_return_a_new_group_and_leave_the_old_one_unchanged() -> None:
    before = group(rate("34", "0.06"), rate("51", "0.20"))
    after = before.with_changes([rate("34", "0.05"), rate("44", "0.04")])
    assert price_of(before.by_prefix("34911234567", MAY)) == "0.06"
    assert price_of(after.by_prefix("34911234567", MAY)) == "0.05"
    assert price_of(after.by_prefix("51123456789", MAY)) == "0.20"
    assert price_of(after.by_prefix("44207946000", MAY)) == "0.04"
    assert (after.group_id, after.name, after.currency) == ("g1", "Standard", "EUR")


def test_a_change_from_a_time_on_is_a_version_and_a_change_of_a_version_replaces_it() -> None:
    prices = group(rate(price="0.06"))
    prices = prices.with_changes([rate(price="0.07", effective_from=JUNE)])
    prices = prices.with_changes([rate(price="0.08", effective_from=JUNE, name="corrected")])
    assert price_of(prices.by_prefix("34911234567", MAY)) == "0.06"
    assert price_of(prices.by_prefix("34911234567", JUNE)) == "0.08"


# --- stored form -----------------------------------------------------------------------------


def test_a_rate_survives_encoding_in_its_event() -> None:
    full = rate(
        effective_from=JUNE,
        bands=(band(days=(1, 2), dates=("2026-12-25",), connect_fee="0.1", weight=3),),
        band_policy="split",
        min_cost="0.1",
        rounding="half_even",
    )
    assert msgspec.json.decode(msgspec.json.encode(full), type=Rate) == full


def test_most_rates_of_a_deck_are_flat() -> None:
    assert compile_rate(rate()).flat is not None
    assert compile_rate(rate(bands=(band(),))).flat is None
    assert compile_rate(rate(tiers=(), bands=(band(),))).flat is None
    two = (Tier(price="0.1"), Tier(from_s=60, price="0.1"))
    assert compile_rate(rate(tiers=two)).flat is None


def test_bands_are_sorted_by_weight_and_the_own_tiers_come_last() -> None:
    night = band(name="night", from_time="22:00", to_time="06:00")
    compiled = compile_rate(rate(bands=(night, band(name="holiday", weight=9))))
    assert [each.name for each in compiled.bands] == ["holiday", "night", "night", ""]

"""The cost of a call: increments, tiers, bands by local time, fees, bounds, one rounding."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.charge import (
    NOTHING,
    Charge,
    NoBand,
    amount_micros,
    band_at,
    charge,
    clamp,
    round_ratio,
)
from billing.rating.rates import Band, CompiledRate, Rate, Rounding, Tier, compile_rate
from billing.values import PRICE_UNITS

MADRID = ZoneInfo("Europe/Madrid")
MONDAY = datetime(2026, 1, 5, 11, tzinfo=UTC)  # noon in Madrid
FLAT = (Tier(price="0.06"),)
CHEAP = (Tier(price="0.03"),)
DAY = 86_400
CALLS = st.one_of(st.integers(0, 300_000), st.integers(3_000_000, 20_000_000))  # milliseconds
PRICES = st.decimals("0", "1", places=8).map(lambda price: f"{price:f}")


def rate(**fields: Any) -> CompiledRate:
    """A compiled rate for prefix 34."""
    return compile_rate(Rate(name="Spain", prefix="34", **fields))


def cost(compiled: CompiledRate, seconds: float, answered_at: datetime = MONDAY) -> Fraction:
    """The exact subtotal in units of the currency."""
    charged = charge(compiled, answered_at, MADRID, round(seconds * 1000))
    return Fraction(charged.numerator, charged.denominator * PRICE_UNITS)


def amount(compiled: CompiledRate, seconds: float, answered_at: datetime = MONDAY) -> int:
    """Micro-units after bounds and rounding."""
    charged = charge(compiled, answered_at, MADRID, round(seconds * 1000))
    numerator, denominator, _ = clamp(charged, compiled)
    rate = compiled.rate
    return amount_micros(numerator, denominator, rate.decimals, rate.rounding)


# --- increments and tiers --------------------------------------------------------------------


def test_a_call_is_charged_in_whole_increments() -> None:
    by_minute = rate(tiers=(Tier(price="0.06", increment_s=60),))
    assert cost(by_minute, 1) == cost(by_minute, 60) == Fraction("0.06")
    assert cost(by_minute, 60.001) == Fraction("0.12")
    assert charge(by_minute, MONDAY, MADRID, 60_001).billed_seconds == 120


def test_milliseconds_are_not_rounded() -> None:
    assert cost(rate(tiers=FLAT), 0.001) == Fraction("0.001")
    assert cost(rate(tiers=FLAT), 59.0) == Fraction("0.059")


def test_no_duration_costs_nothing_without_connect_fee() -> None:
    fee = rate(tiers=FLAT, connect_fee="0.10")
    assert charge(fee, MONDAY, MADRID, 0) is NOTHING
    assert cost(fee, 1) == Fraction("0.101")


def test_shorter_than_free_below_costs_nothing() -> None:
    patient = rate(tiers=FLAT, connect_fee="0.10", free_below_s=5)
    assert charge(patient, MONDAY, MADRID, 4_999) is NOTHING
    assert cost(patient, 5) == Fraction("0.105")


def test_the_connect_fee_is_charged_once_even_if_the_minutes_are_free() -> None:
    assert cost(rate(tiers=(Tier(price="0"),), connect_fee="0.25"), 3600) == Fraction("0.25")


def test_an_initial_block_rounds_only_the_remainder_after_it() -> None:
    block = rate(
        tiers=(Tier(price="0.06", increment_s=60), Tier(from_s=60, price="0.06", increment_s=1))
    )
    assert cost(block, 10) == Fraction("0.06")
    assert cost(block, 60) == Fraction("0.06")
    assert cost(block, 61) == Fraction("0.061")


def test_an_increment_is_priced_by_the_tier_at_its_start() -> None:
    crossing = rate(
        tiers=(Tier(price="0.60", increment_s=40), Tier(from_s=60, price="0.06", increment_s=1))
    )
    # Increments 0-40 and 40-80 begin before second 60; from 80 on the second tier applies.
    assert cost(crossing, 90) == Fraction("0.80") + Fraction("0.010")


def test_an_increment_can_span_a_whole_tier() -> None:
    swallowing = rate(
        tiers=(
            Tier(price="0.60", increment_s=100),
            Tier(from_s=30, price="9", increment_s=1),
            Tier(from_s=60, price="0.06", increment_s=1),
        )
    )
    assert cost(swallowing, 110) == Fraction("1.00") + Fraction("0.010")


def test_a_price_of_any_unit_stays_exact() -> None:
    assert cost(rate(tiers=(Tier(price="0.01", unit_s=7),)), 1) == Fraction(1, 700)
    assert amount(rate(tiers=(Tier(price="0.01", unit_s=7),), decimals=6), 1) == 1_429


def test_a_30_day_call_has_one_line_per_band() -> None:
    charged = charge(rate(tiers=FLAT), MONDAY, MADRID, 30 * DAY * 1000)
    assert (len(charged.lines), charged.billed_seconds) == (1, 30 * DAY)
    night = Band(name="night", from_time="22:00", to_time="06:00", tiers=CHEAP)
    split = rate(tiers=FLAT, bands=(night,), band_policy="split")
    charged = charge(split, MONDAY, MADRID, 30 * DAY * 1000)
    assert len(charged.lines) == 61  # one line for each day and each night
    assert cost(split, 30 * DAY) == 30 * (16 * 60 * Fraction("0.06") + 8 * 60 * Fraction("0.03"))


# --- bands -----------------------------------------------------------------------------------

NIGHT = Band(name="night", from_time="22:00", to_time="06:00", tiers=CHEAP)
FRIDAY_NIGHT = Band(name="night", days=(5,), from_time="22:00", to_time="06:00", tiers=CHEAP)
CHRISTMAS = Band(name="holiday", dates=("2026-12-25",), weight=10, tiers=(Tier(price="0"),))


def name_at(compiled: CompiledRate, *wall: int) -> str:
    """The name of the band at a local time in Madrid."""
    return band_at(compiled, datetime(*wall, tzinfo=MADRID).astimezone(UTC), MADRID).name  # type: ignore[misc,arg-type]


def test_a_band_is_in_local_time_and_its_end_is_excluded() -> None:
    day = rate(bands=(Band(name="day", from_time="08:00", to_time="20:00", tiers=FLAT), NIGHT))
    assert name_at(day, 2026, 7, 1, 8, 0) == "day"
    assert name_at(day, 2026, 1, 7, 19, 59, 59) == "day"
    with pytest.raises(NoBand):
        name_at(day, 2026, 1, 7, 20, 0)


def test_a_band_over_midnight_ends_on_the_day_after_its_days() -> None:
    party = rate(tiers=FLAT, bands=(FRIDAY_NIGHT,))
    assert name_at(party, 2026, 1, 9, 22, 0) == "night"  # a Friday
    assert name_at(party, 2026, 1, 10, 5, 59) == "night"  # Saturday morning
    assert name_at(party, 2026, 1, 9, 5, 59) == ""  # Friday morning belongs to Thursday's night
    assert name_at(party, 2026, 1, 10, 22, 0) == ""


def test_a_band_over_midnight_of_sunday_ends_on_monday() -> None:
    sunday = rate(tiers=FLAT, bands=(Band(name="n", days=(7,), from_time="22:00", tiers=CHEAP),))
    assert name_at(sunday, 2026, 1, 11, 23, 0) == "n"
    late = Band(name="n", days=(7,), from_time="22:00", to_time="06:00", tiers=CHEAP)
    assert name_at(rate(tiers=FLAT, bands=(late,)), 2026, 1, 12, 1, 0) == "n"


def test_a_dated_band_over_midnight_ends_on_the_next_date() -> None:
    eve = Band(name="eve", dates=("2026-12-31",), from_time="18:00", to_time="03:00", tiers=CHEAP)
    party = rate(tiers=FLAT, bands=(eve,))
    assert name_at(party, 2026, 12, 31, 20, 0) == "eve"
    assert name_at(party, 2027, 1, 1, 2, 59) == "eve"
    assert name_at(party, 2026, 12, 31, 2, 0) == ""


def test_from_midnight_to_midnight_is_all_day() -> None:
    all_day = rate(bands=(Band(name="d", from_time="00:00", to_time="00:00", tiers=FLAT),))
    assert name_at(all_day, 2026, 1, 7, 0, 0) == name_at(all_day, 2026, 1, 7, 23, 59, 59) == "d"


def test_the_heaviest_band_wins() -> None:
    holiday = rate(tiers=FLAT, bands=(NIGHT, CHRISTMAS))
    assert name_at(holiday, 2026, 12, 25, 23, 0) == "holiday"
    assert name_at(holiday, 2026, 12, 26, 23, 0) == "night"
    assert name_at(holiday, 2026, 12, 26, 12, 0) == ""


def test_with_policy_start_the_band_at_the_answer_applies_to_the_end() -> None:
    at_five_to_ten = datetime(2026, 1, 5, 20, 55, tzinfo=UTC)
    assert cost(rate(tiers=FLAT, bands=(NIGHT,)), 600, at_five_to_ten) == Fraction("0.60")


def test_with_policy_split_each_increment_has_the_band_at_its_start() -> None:
    split = rate(tiers=FLAT, bands=(NIGHT,), band_policy="split")
    at_five_to_ten = datetime(2026, 1, 5, 20, 55, tzinfo=UTC)
    assert cost(split, 600, at_five_to_ten) == 5 * Fraction("0.06") + 5 * Fraction("0.03")
    lines = charge(split, at_five_to_ten, MADRID, 600_000).lines
    assert [(line.band, line.count) for line in lines] == [("", 300), ("night", 300)]


def test_with_policy_split_an_increment_that_began_before_a_bound_keeps_its_band() -> None:
    by_minute = (Tier(price="0.06", increment_s=60),)
    cheap = (Tier(price="0.03", increment_s=60),)
    night = Band(name="night", from_time="22:00", to_time="06:00", tiers=cheap)
    split = rate(tiers=by_minute, bands=(night,), band_policy="split")
    half_a_minute_before = datetime(2026, 1, 5, 20, 59, 30, tzinfo=UTC)
    assert cost(split, 61, half_a_minute_before) == Fraction("0.09")


def test_a_band_that_continues_past_midnight_is_one_line() -> None:
    split = rate(tiers=FLAT, bands=(NIGHT,), band_policy="split")
    lines = charge(split, datetime(2026, 1, 5, 22, 30, tzinfo=UTC), MADRID, 3_600_000).lines
    assert [(line.band, line.count) for line in lines] == [("night", 3600)]


def test_tiers_count_from_the_answer_even_in_a_later_band() -> None:
    night = Band(
        name="night",
        from_time="22:00",
        to_time="06:00",
        tiers=(Tier(price="0.60"), Tier(from_s=300, price="0.06")),
    )
    split = rate(tiers=FLAT, bands=(night,), band_policy="split")
    at_two_to_ten = datetime(2026, 1, 5, 20, 58, tzinfo=UTC)
    assert cost(split, 600, at_two_to_ten) == Fraction("0.12") + Fraction("1.80") + Fraction("0.30")


def test_the_connect_fee_is_that_of_the_band_at_answer() -> None:
    night = Band(name="night", from_time="22:00", to_time="06:00", tiers=CHEAP, connect_fee="0.01")
    for policy in ("start", "split"):
        fees = rate(tiers=FLAT, bands=(night,), connect_fee="0.10", band_policy=policy)
        at_five_to_ten = datetime(2026, 1, 5, 20, 55, tzinfo=UTC)
        assert charge(fees, at_five_to_ten, MADRID, 600_000).connect_fee == PRICE_UNITS // 10
        at_ten = datetime(2026, 1, 5, 21, tzinfo=UTC)
        assert charge(fees, at_ten, MADRID, 600_000).connect_fee == PRICE_UNITS // 100


def test_an_hour_outside_all_bands_has_no_price() -> None:
    with pytest.raises(NoBand):
        charge(rate(bands=(NIGHT,)), MONDAY, MADRID, 1000)
    only_night = rate(bands=(NIGHT,), band_policy="split")
    with pytest.raises(NoBand):
        charge(only_night, datetime(2026, 1, 5, 4, 59, tzinfo=UTC), MADRID, 120_000)


# --- clock changes ---------------------------------------------------------------------------
# In Madrid 2026-03-29 has no 02:00-03:00 (01:00 UTC) and 2026-10-25 has it twice (01:00 UTC).

EARLY = Band(name="early", from_time="02:30", to_time="04:00", tiers=CHEAP)
SPRING, AUTUMN = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)


def minutes(charged: Charge) -> list[tuple[str, int]]:
    """The bands of a call, with the minutes in each."""
    return [(line.band, line.count * line.tier.increment_s // 60) for line in charged.lines]


def test_in_spring_a_band_that_would_begin_in_the_gap_begins_after_it() -> None:
    split = rate(tiers=FLAT, bands=(EARLY,), band_policy="split")
    # 01:50 to 04:10 local time, of which one hour is skipped.
    charged = charge(split, SPRING + timedelta(minutes=50), MADRID, 80 * 60_000)
    assert minutes(charged) == [("", 10), ("early", 60), ("", 10)]


def test_in_autumn_a_band_in_the_repeated_hour_occurs_twice() -> None:
    split = rate(tiers=FLAT, bands=(EARLY,), band_policy="split")
    # From the first 02:00 to 04:10 local time: three hours and ten minutes.
    charged = charge(split, AUTUMN, MADRID, 190 * 60_000)
    assert minutes(charged) == [("", 30), ("early", 30), ("", 30), ("early", 90), ("", 10)]


def test_with_policy_start_a_clock_change_does_not_matter() -> None:
    start = rate(tiers=FLAT, bands=(EARLY,))
    for day in (SPRING, AUTUMN):
        charged = charge(start, day + timedelta(minutes=20), MADRID, 190 * 60_000)
        assert minutes(charged) == [("", 190)]


def test_with_policy_start_the_repeated_hour_has_the_same_bands() -> None:
    start = rate(tiers=FLAT, bands=(EARLY,))
    for minute, band in ((15, ""), (45, "early"), (75, ""), (105, "early")):
        charged = charge(start, AUTUMN + timedelta(minutes=minute), MADRID, 60_000)
        assert minutes(charged) == [(band, 1)]


def test_in_autumn_the_night_is_an_hour_longer_and_in_spring_an_hour_shorter() -> None:
    split = rate(tiers=FLAT, bands=(NIGHT,), band_policy="split")
    for day, hours in ((SPRING, 7), (AUTUMN, 9)):
        noon_before = (day - timedelta(days=1)).replace(hour=11)
        charged = charge(split, noon_before, MADRID, 22 * 3_600_000)
        assert minutes(charged)[1] == ("night", hours * 60)


def test_a_day_without_midnight_begins_at_one() -> None:
    santiago = ZoneInfo("America/Santiago")  # 2026-09-06 begins at 01:00
    sunday = rate(
        tiers=FLAT, bands=(Band(name="sunday", days=(7,), tiers=CHEAP),), band_policy="split"
    )
    charged = charge(sunday, datetime(2026, 9, 6, 3, 30, tzinfo=UTC), santiago, 3_600_000)
    assert minutes(charged) == [("", 30), ("sunday", 30)]


# --- bounds and rounding ---------------------------------------------------------------------


def test_min_then_max_then_one_rounding() -> None:
    bounded = rate(tiers=FLAT, min_cost="0.0555551", max_cost="0.1444449")
    assert amount(bounded, 1) == 55_600
    assert amount(bounded, 100) == 100_000
    assert amount(bounded, 600) == 144_400


def test_the_applied_bound_is_returned() -> None:
    bounded = rate(tiers=FLAT, min_cost="0.05", max_cost="0.10")
    told = [clamp(charge(bounded, MONDAY, MADRID, s * 1000), bounded)[2] for s in (1, 60, 600)]
    assert told == ["min", "", "max"]


def test_a_max_below_the_min_wins() -> None:
    assert amount(rate(tiers=FLAT, min_cost="0.10", max_cost="0.05"), 1) == 50_000


def test_a_free_call_is_not_raised_to_the_minimum_cost() -> None:
    assert charge(rate(tiers=FLAT, min_cost="1"), MONDAY, MADRID, 0) is NOTHING


def test_increments_are_not_rounded_one_by_one() -> None:
    assert amount(rate(tiers=(Tier(price="0.02"),)), 60) == 20_000


@pytest.mark.parametrize(
    ("rounding", "quarter", "tie", "odd_tie", "three_quarters"),
    [
        ("half_up", 10, 11, 12, 11),
        ("half_even", 10, 10, 12, 11),
        ("down", 10, 10, 11, 10),
        ("up", 11, 11, 12, 11),
    ],
)
def test_every_rounding(
    rounding: Rounding, quarter: int, tie: int, odd_tie: int, three_quarters: int
) -> None:
    assert round_ratio(41, 4, rounding) == quarter
    assert round_ratio(21, 2, rounding) == tie
    assert round_ratio(23, 2, rounding) == odd_tie
    assert round_ratio(43, 4, rounding) == three_quarters
    assert round_ratio(40, 4, rounding) == 10


@pytest.mark.parametrize(
    ("decimals", "micros"), [(0, 0), (2, 120_000), (4, 123_500), (5, 123_460), (6, 123_457)]
)
def test_amounts_are_rounded_to_the_decimals_of_the_rate(decimals: int, micros: int) -> None:
    by_call = rate(tiers=(Tier(price="0.12345678", unit_s=1),), decimals=decimals)
    assert amount(by_call, 1) == micros


# --- closed form compared to a loop over increments ------------------------------------------

TIER = st.builds(
    Tier,
    price=PRICES,
    unit_s=st.sampled_from([1, 7, 30, 60]),
    increment_s=st.sampled_from([1, 6, 30, 60, 100]),
)
TIERS = st.builds(
    lambda tiers, gaps: tuple(
        Tier(
            from_s=sum(gaps[:index]),
            price=tier.price,
            unit_s=tier.unit_s,
            increment_s=tier.increment_s,
        )
        for index, tier in enumerate(tiers)
    ),
    st.lists(TIER, min_size=1, max_size=3),
    st.lists(st.integers(1, 200), min_size=3, max_size=3),
)
HOURS = st.integers(0, 47).map(lambda half: f"{half // 2:02}:{half % 2 * 30:02}")
BANDS = st.lists(
    st.builds(
        Band,
        name=st.sampled_from(["a", "b"]),
        days=st.sets(st.integers(1, 7), max_size=3).map(lambda days: tuple(sorted(days))),
        from_time=HOURS,
        to_time=HOURS,
        weight=st.integers(0, 3),
        tiers=TIERS,
    ),
    max_size=3,
).map(tuple)
# Around both clock changes.
MOMENTS = st.one_of(
    st.integers(0, 2 * DAY * 1000).map(
        lambda ms: SPRING - timedelta(hours=20) + timedelta(milliseconds=ms)
    ),
    st.integers(0, 2 * DAY * 1000).map(
        lambda ms: AUTUMN - timedelta(hours=20) + timedelta(milliseconds=ms)
    ),
)


def naive(compiled: CompiledRate, answered_at: datetime, milliseconds: int) -> Fraction:
    """The subtotal, computed increment by increment."""
    if not milliseconds:
        return Fraction(0)
    first = band_at(compiled, answered_at, MADRID)
    total, at = Fraction(first.connect_fee), 0
    while at * 1000 < milliseconds:
        band = first
        if compiled.rate.band_policy == "split":
            band = band_at(compiled, answered_at + timedelta(seconds=at), MADRID)
        tier = [tier for tier in band.tiers if tier.from_s <= at][-1]
        total += Fraction(tier.price * tier.increment_s, tier.unit_s)
        at += tier.increment_s
    return Fraction(total, PRICE_UNITS)


# No deadline: a loop over a call of hours is slow on a busy machine.
PATIENT = settings(deadline=None)


@PATIENT
@given(tiers=TIERS, fee=PRICES, milliseconds=CALLS)
def test_the_closed_form_equals_a_loop_over_increments(
    tiers: tuple[Tier, ...], fee: str, milliseconds: int
) -> None:
    compiled = rate(tiers=tiers, connect_fee=fee)
    assert cost(compiled, milliseconds / 1000) == naive(compiled, MONDAY, milliseconds)


@PATIENT
@given(
    tiers=TIERS,
    bands=BANDS,
    policy=st.sampled_from(["start", "split"]),
    answered_at=MOMENTS,
    milliseconds=CALLS,
)
def test_the_closed_form_equals_a_loop_over_increments_in_bands_too(
    tiers: tuple[Tier, ...],
    bands: tuple[Band, ...],
    policy: str,
    answered_at: datetime,
    milliseconds: int,
) -> None:
    compiled = rate(tiers=tiers, bands=bands, band_policy=policy)
    exact = naive(compiled, answered_at, milliseconds)
    assert cost(compiled, milliseconds / 1000, answered_at) == exact


@PATIENT
@given(
    numerator=st.integers(0, 10**15),
    denominator=st.integers(1, 10**6),
    rounding=st.sampled_from(["half_up", "up", "down", "half_even"]),
)
def test_rounding_is_never_off_by_a_whole_unit(
    numerator: int, denominator: int, rounding: Rounding
) -> None:
    off = round_ratio(numerator, denominator, rounding) - Fraction(numerator, denominator)
    assert abs(off) < 1
    assert {"up": off >= 0, "down": off <= 0}.get(rounding, abs(off) <= Fraction(1, 2))

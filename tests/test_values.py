"""Money and periods: exact, and refused where they can't be."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.values import Period, Refused, decimal_string, parse_micros, parse_price


@given(st.integers(-(10**17), 10**17))
def test_an_amount_survives_being_written_and_read(micros: int) -> None:
    assert parse_micros(decimal_string(micros)) == micros


def test_prices_have_eight_decimals() -> None:
    assert parse_price("0.01234567") == 1_234_567
    with pytest.raises(Refused, match="more than 8 decimals"):
        parse_price("0.012345678")


@pytest.mark.parametrize("text", ["", "1e9", "12,50", "--5", ".5", "NaN", "1.", " 1", "٣", "1\n"])
def test_what_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="not a plain decimal"):
        parse_micros(text)


def test_twenty_decimals_and_absurd_amounts_are_refused() -> None:
    with pytest.raises(Refused, match="more than 6 decimals"):
        parse_micros("0." + "1" * 20)
    with pytest.raises(Refused, match="too large"):
        parse_micros("9" * 18)


def test_a_local_day_is_as_long_as_it_is() -> None:
    change = Period(date(2026, 10, 25), date(2026, 10, 25))
    begin, end = change.bounds(ZoneInfo("Europe/Madrid"))
    assert begin == datetime(2026, 10, 24, 22, tzinfo=UTC)
    assert (end - begin).total_seconds() == 25 * 3600

"""Money and periods are exact, and refused if they can't be."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.periods import Period
from billing.values import (
    Money,
    Refused,
    decimal_string,
    minor_unit,
    name_key,
    parse_amount,
    parse_micros,
    parse_price,
    refuse_finer,
    to_minor_unit,
)


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


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("12,50", 12_500_000),
        ("12.50", 12_500_000),
        ("-5", -5_000_000),
        ("+5", 5_000_000),
        ("1.234,5", 1_234_500_000),
        ("1,234.5", 1_234_500_000),
        ("1.234.567", 1_234_567_000_000),
        ("1 234,50", 1_234_500_000),
        ("1'234.50", 1_234_500_000),
        ("0,125", 125_000),
        ("0.1250", 125_000),
        ("1234.5678", 1_234_567_800),
        ("12,", 12_000_000),
    ],
)
def test_an_amount_is_read_as_people_write_it(text: str, micros: int) -> None:
    assert parse_amount(text, "EUR") == micros


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1e9", "not an amount"),
        ("", "not an amount"),
        ("doce", "not an amount"),
        ("1,2,3", "not an amount"),
        ("1.23.4", "not an amount"),
        ("12.5.50", "not an amount"),
        ("1234.567.1", "not an amount"),
        ("1.234", "thousands or decimals"),
        ("1,234", "thousands or decimals"),
        ("0.12345678901234567890", "more than 6 decimals"),
        ("\u0661\u0662", "not an amount"),
        ("9" * 18, "too large"),
    ],
)
def test_what_is_no_amount_or_two_is_refused(text: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        parse_amount(text, "EUR")


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("7,00 €", "EUR"),
        ("€7.00", "EUR"),
        ("EUR 7", "EUR"),
        ("7,00\N{NO-BREAK SPACE}eur", "EUR"),
        ("$7", "CLP"),
        ("7 CLP", "CLP"),
        ("S/ 7.00", "PEN"),
        ("S/. 7.00", "PEN"),
        ("$ 7.00", "USD"),
        ("US$ 7.00", "USD"),
        ("7 €", ""),
    ],
)
def test_an_amount_may_name_its_own_currency(text: str, currency: str) -> None:
    assert parse_amount(text, currency) == 7_000_000


def test_an_amount_keeps_its_sign_on_either_side_of_the_symbol() -> None:
    assert parse_amount("-€7", "EUR") == parse_amount("€-7", "EUR") == -7_000_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("7 $", "not in EUR"),
        ("7 USD", "not in EUR"),
        ("£7", "not in EUR"),
        ("€ 7 €", "not an amount"),
        ("-€-7", "not an amount"),
        ("7 apples", "not an amount"),
    ],
)
def test_an_amount_in_another_currency_is_refused(text: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        parse_amount(text, "EUR")


def test_names_are_the_same_however_they_are_encoded_or_spaced() -> None:
    composed, decomposed = "Peluquería  Ana", "Peluqueri\N{COMBINING ACUTE ACCENT}a\u00a0ana "
    assert name_key(composed) == name_key(decomposed)
    assert name_key("Ana") != name_key("Anna")


def test_a_dot_before_three_digits_is_plain_in_a_currency_without_decimals() -> None:
    assert parse_amount("1.500", "CLP") == 1_500_000_000
    assert parse_amount("1,500", "JPY") == 1_500_000_000
    with pytest.raises(Refused, match="thousands or decimals"):
        parse_amount("1.500", "KWD")


@pytest.mark.parametrize(
    ("currency", "finest"), [("EUR", 10_000), ("CLP", 1_000_000), ("KWD", 1_000), ("PEN", 10_000)]
)
def test_nobody_can_pay_less_than_the_minor_unit(currency: str, finest: int) -> None:
    assert minor_unit(currency) == finest
    refuse_finer(Money(-7 * finest, currency))
    with pytest.raises(Refused, match="decimals"):
        refuse_finer(Money(7 * finest + 1, currency))


@given(st.integers(-(10**15), 10**15), st.sampled_from(["EUR", "CLP", "KWD"]))
def test_an_amount_is_rounded_by_at_most_half_a_minor_unit(micros: int, currency: str) -> None:
    unit = minor_unit(currency)
    assert to_minor_unit(micros, currency) % unit == 0
    assert abs(to_minor_unit(micros, currency) - micros) * 2 <= unit
    assert to_minor_unit(-micros, currency) == -to_minor_unit(micros, currency)

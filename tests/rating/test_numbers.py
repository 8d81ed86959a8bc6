"""From dialled digits to E.164: per country, behind a switch, compared to phonenumbers."""

import random
from collections.abc import Iterator

import phonenumbers
import pytest
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from billing.rating.numbers import (
    DIAL_PLANS,
    RoutePrefix,
    clean,
    dial_plan,
    strip_route_prefix,
    to_e164,
)

# Types of numbers that people dial and that have a national form.
TYPES = (
    PhoneNumberType.FIXED_LINE,
    PhoneNumberType.MOBILE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE,
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.VOIP,
)


def e164(dialled: str, country: str, area_code: str = "") -> str:
    """The E.164 digits of a number dialled in a country."""
    return to_e164(clean(dialled), dial_plan(country), area_code)


# --- cleaning --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialled", "cleaned"),
    [
        ("911234567", "911234567"),
        ("+34 911 23-45.67", "+34911234567"),
        (" (+34) 911234567", "+34911234567"),
        ("(91) 123 45 67", "911234567"),
        ("911+234", "911234"),
        ("anonymous", ""),
        ("", ""),
        ("*98", "*98"),
        ("*31#600123456", "*31#600123456"),
        ("\u0669\u0661\u0661", ""),  # digits, but none that a switch dials
    ],
)
def test_cleaning_keeps_digits_a_leading_plus_and_feature_codes(dialled: str, cleaned: str) -> None:
    assert clean(dialled) == cleaned


# --- per country -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country", "area_code", "dialled", "expected"),
    [
        ("ES", "", "911234567", "34911234567"),
        ("ES", "", "600123456", "34600123456"),
        ("ES", "", "34911234567", "34911234567"),  # as most trunks send it
        ("ES", "", "+34911234567", "34911234567"),
        ("ES", "", "0034911234567", "34911234567"),
        ("ES", "", "00442079460000", "442079460000"),
        ("ES", "91", "1234567", ""),  # no local number begins with 1
        ("ES", "91", "2345678", "34912345678"),
        ("ES", "", "2345678", ""),
        ("MX", "", "5512345678", "525512345678"),
        ("MX", "", "525512345678", "525512345678"),
        ("CO", "", "6012345678", "576012345678"),
        ("CO", "", "3001234567", "573001234567"),
        ("CL", "", "912345678", "56912345678"),
        ("CL", "2", "23456789", "56223456789"),
        ("PE", "", "012345678", "5112345678"),
        ("PE", "1", "2345678", "5112345678"),
        ("PE", "01", "2345678", "5112345678"),  # an area as people write it
        ("PE", "", "912345678", "51912345678"),
        ("PE", "1", "51912345678", "51912345678"),
        ("AR", "", "01123456789", "541123456789"),
        ("AR", "11", "23456789", "541123456789"),
        ("AR", "", "0111523456789", "5491123456789"),
        ("AR", "", "0221154123456", "5492214123456"),
        ("AR", "", "0290115412345", "5492901412345"),
        ("AR", "11", "1523456789", "5491123456789"),
        ("AR", "221", "154123456", "5492214123456"),
        ("AR", "", "00541123456789", "541123456789"),
        ("CN", "", "01012345678", "861012345678"),
        ("CN", "", "13812345678", "8613812345678"),
        ("CN", "", "4001234567", "864001234567"),
        ("CN", "10", "62345678", "861062345678"),
        ("US", "", "2125551212", "12125551212"),
        ("US", "", "12125551212", "12125551212"),
        ("US", "212", "5551212", "12125551212"),
        ("US", "", "011442079460000", "442079460000"),
        ("DE", "", "03012345678", "493012345678"),
        ("DE", "30", "2345678", "49302345678"),
        ("DE", "30", "4923456", "49304923456"),  # local, though it begins with the country code
        ("DE", "", "493012345678", "493012345678"),
        ("GB", "", "02079460000", "442079460000"),
        ("GB", "20", "79460000", "442079460000"),
        ("GB", "020", "79460000", "442079460000"),
        ("FR", "", "0123456789", "33123456789"),
        ("FR", "", "123456789", ""),  # never without its 0
        ("IT", "", "0612345678", "390612345678"),  # the 0 is part of the number
        ("IT", "", "3331234567", "393331234567"),
        ("IT", "", "393331234567", "393331234567"),
        ("PT", "", "211234567", "351211234567"),
        ("BR", "", "1123456789", "551123456789"),
        ("BR", "", "01123456789", "551123456789"),
        ("BR", "11", "923456789", "5511923456789"),
        ("SE", "", "+46812345678", "46812345678"),
        ("SE", "", "0046812345678", "46812345678"),
        ("SE", "", "0812345678", ""),  # not a country with a known dial plan
        ("", "", "0046812345678", "46812345678"),
    ],
)
def test_a_number_dialled_in_its_country(
    country: str, area_code: str, dialled: str, expected: str
) -> None:
    assert e164(dialled, country, area_code) == expected


NO_NUMBERS = (
    *("", "+", "0", "00", "+0", "000", "7", "101", "1234", "*98", "+*98", "*31#600123456"),
    *("00*31#600123456", "+0123456789", "0001234567", "9" * 20, "+" + "9" * 16, "+123456"),
)


@pytest.mark.parametrize("country", [*DIAL_PLANS, "SE", ""])
def test_invalid_numbers_have_no_international_form(country: str) -> None:
    for area_code in ("", "1", "30", "33203"):
        for dialled in NO_NUMBERS:
            assert e164(dialled, country, area_code) == "", (area_code, dialled)


# --- behind a switch -------------------------------------------------------------------------

NINE = RoutePrefix(order=1, prefix="9")
ZERO = RoutePrefix(order=1, prefix="0")


def stripped(dialled: str, country: str, *rules: RoutePrefix) -> str:
    """The number after removing the route prefixes of a device."""
    plan = dial_plan(country)
    return strip_route_prefix(dialled, rules, lambda rest: bool(to_e164(rest, plan, "")))[0]


def test_a_route_prefix_is_removed_if_the_rest_is_a_number() -> None:
    assert stripped("9911234567", "ES", NINE) == "911234567"
    assert stripped("900442079460000", "ES", NINE) == "00442079460000"
    assert stripped("911234567", "ES", NINE) == "911234567"  # the rest would be one digit short


def test_a_route_prefix_is_removed_once() -> None:
    assert stripped("99911234567", "ES", NINE, NINE) == "99911234567"
    assert stripped("9900123456", "ES", NINE) == "900123456"


def test_the_first_rule_that_fits_applies() -> None:
    long = RoutePrefix(order=1, prefix="99")
    assert stripped("99911234567", "ES", long, NINE) == "911234567"
    assert stripped("9911234567", "ES", long, NINE) == "911234567"


def test_a_route_prefix_may_be_replaced() -> None:
    to_peru = RoutePrefix(order=1, prefix="88", replacement="+51")
    assert stripped("88912345678", "ES", to_peru) == "+51912345678"


def test_the_rest_has_the_lengths_of_the_rule() -> None:
    nine_to_ten = RoutePrefix(order=1, prefix="9", min_rest=10, max_rest=14)
    assert stripped("9911234567", "ES", nine_to_ten) == "9911234567"
    assert stripped("900442079460000", "ES", nine_to_ten) == "00442079460000"
    assert stripped("90044207946000012", "ES", nine_to_ten) == "90044207946000012"


def test_0_and_a_national_0_look_international_but_are_not() -> None:
    assert stripped("002079460000", "GB", ZERO) == "02079460000"
    assert stripped("003012345678", "DE", ZERO) == "03012345678"
    assert stripped("00123456789", "FR", ZERO) == "0123456789"
    assert stripped("0012345678", "PE", ZERO) == "012345678"


def test_0_and_international_is_international() -> None:
    assert stripped("000442079460000", "ES", ZERO) == "00442079460000"
    assert stripped("00034911234567", "GB", ZERO) == "0034911234567"


def test_international_without_the_0_stays_international_if_no_national_number_begins_with_0() -> (
    None
):
    assert stripped("00442079460000", "ES", ZERO) == "00442079460000"
    assert stripped("0912345678", "ES", ZERO) == "912345678"


def test_the_applied_rule_is_returned() -> None:
    number, rule = strip_route_prefix("9911234567", [NINE], lambda rest: len(rest) == 9)
    assert (number, rule) == ("911234567", NINE)
    assert strip_route_prefix("9911234567", [NINE], lambda _: False) == ("9911234567", None)


# --- compared to another library -------------------------------------------------------------


def valid_numbers(country: str) -> Iterator[PhoneNumber]:
    """Valid numbers near a country's examples of each type; their last digits are random."""
    draw = random.Random(country)  # noqa: S311 -- reproducible
    for kind in TYPES:
        example = phonenumbers.example_number_for_type(country, kind)
        if example is None:
            continue
        text = phonenumbers.national_significant_number(example)
        for kept in range(1, len(text)):
            for _ in range(20):
                rest = "".join(draw.choice("0123456789") for _ in text[kept:])
                number = phonenumbers.parse(
                    f"+{example.country_code}{text[:kept]}{rest}", keep_raw_input=False
                )
                if phonenumbers.is_valid_number_for_region(number, country):
                    yield number


@pytest.mark.parametrize("country", DIAL_PLANS)
def test_valid_numbers_are_parsed_as_phonenumbers_parses_them(country: str) -> None:
    numbers = list(valid_numbers(country))
    assert len(numbers) > 200
    wrong = set()
    for number in numbers:
        expected = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
        international = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
        prefix = dial_plan(country).international
        for dialled in (national, international, expected[1:], prefix + expected[1:]):
            if "+" + e164(dialled, country) != expected:
                wrong.add((dialled, e164(dialled, country), expected))
    assert not wrong

"""Numbers lose their last digits wherever they occur; numbers that identify nobody stay."""

import base64

import msgspec
import pytest

from billing.rating.cdr import Cdr
from billing.rating.context import Rating, encode_steps
from billing.rating.shortening import Cut, shorten_ends, shorten_number


@pytest.mark.parametrize(
    ("number", "short"),
    [
        ("+34934567890", "+3493456****"),
        ("934567890", "93456****"),
        ("0034 600-123-456", "0034 600-12*-***"),
        ("*31#600123456", "*31#60012****"),  # a feature code of the switch stays
        ("600123456#1234", "60012****#1234"),
        ("1234567", "123****"),
        ("112", "112"),
        ("118999", "118999"),
        ("bob@example.org", "bob@example.org"),
        ("+3493456****", "+3493456****"),
        ("7" * 300, "7" * 15 + "*" * 285),
        ("", ""),
    ],
)
def test_a_number_loses_its_last_digits_once(number: str, short: str) -> None:
    assert shorten_number(number) == short
    assert shorten_number(short) == short


@pytest.mark.parametrize(
    ("direction", "ends", "left"),
    [
        ("outbound", ("101", "934567890", "+34934567890"), ("101", "93456****", "+3493456****")),
        ("", ("101", "934567890", ""), ("101", "93456****", "")),
        # A local number, shorter than its country's because it has no area code.
        ("outbound", ("101", "456789", "+34913456789"), ("101", "45****", "+3491345****")),
        (
            "inbound",
            ("600123456", "934000000", "+34600123456"),
            ("60012****", "934000000", "+3460012****"),
        ),
    ],
)
def test_the_other_party_s_number_is_shortened(
    direction: str, ends: tuple[str, str, str], left: tuple[str, str, str]
) -> None:
    assert shorten_ends(direction, *ends) == left


@pytest.mark.parametrize(
    ("direction", "number"), [("internal", "20045678"), ("outbound", "112"), ("outbound", "11888")]
)
def test_extensions_and_short_numbers_stay(direction: str, number: str) -> None:
    assert shorten_ends(direction, "101", number, number) is None


def test_no_digit_of_the_number_is_left_anywhere_and_the_price_stays() -> None:
    cdr = Cdr(
        key="k|934567890",
        caller="101",
        called="9934567890",
        caller_name="Ana (to 93 456 78 90)",
        cause="SIP/trunk-34934567890",
        target_trunk="PJSIP/934567890@carrier",
    )
    rating = Rating(
        status="rated",
        direction="outbound",
        number="+34934567890",
        amount_micros=4_567_890,
        area="Barcelona",
        rate_prefix="34934567890",
        encoded_steps=encode_steps(
            (
                ("route_prefix", "9", "", "934567890"),
                ("e164", "934567890", "+34934567890"),
                ("rate", "Office", "34934567890", "2026-01-01"),
            )
        ),
    )
    cut = Cut.of(cdr, rating)
    assert cut
    short, rated = cut.cdr(cdr), cut.rating(rating)
    told = msgspec.json.encode([msgspec.structs.replace(short, key=""), rated.steps]).decode()
    raw = 'src=101&dst=%2B34934567890&sip:9934567890@x;"93-456-78-90" at=1764054000 id=4567'
    told += cut.raw(raw, "")
    for left in ("7890", "78 90", "78-90"):
        assert left not in told
    assert cut.raw(raw, "").endswith("at=1764054000 id=4567")
    assert short.key == cdr.key  # its id in the log
    assert short.flags == rated.flags == ("shortened",)
    assert (rated.amount_micros, rated.area, rated.number) == (
        4_567_890,
        "Barcelona",
        "+3493456****",
    )
    assert rated.steps[0] == ("route_prefix", "9", "", "93456****")


def test_bytes_that_are_not_text_are_searched_too() -> None:
    cut = Cut("outbound", "+34934567890", frozenset({"4567890"}))
    raw = base64.b64encode("Señor,934567890,1".encode("latin-1") + b"\xff").decode()
    found = base64.b64decode(cut.raw(raw, "base64"))
    assert found == "Señor,93456****,1".encode("latin-1") + b"\xff"

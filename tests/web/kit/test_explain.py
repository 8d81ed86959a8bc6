"""Every step of the rating chain has its sentence, in both languages."""

import pytest

from billing.rating.chain import REASONS, STEPS
from billing.web.calls.story import pretty
from billing.web.kit import words
from billing.web.kit.explain import SENTENCES, WITHOUT, explain
from billing.web.kit.i18n import set_language

VALUES = {"effective_from": "2026-01-01", "fee": "0.05", "price": "0.018", "amount": "1.5"}


def test_no_step_and_no_reason_is_left_without_words() -> None:
    assert set(SENTENCES) == set(STEPS)
    assert set(REASONS) <= set(words.REASONS)


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("code", STEPS)
def test_every_sentence_can_be_filled(code: str, language: str) -> None:
    set_language(language)
    step = (code, *(VALUES.get(name, "7") for name in STEPS[code]))
    (said,) = explain([step], "EUR", {})
    assert said.endswith(".")
    assert "%" not in said


@pytest.mark.parametrize(("code", "name"), WITHOUT)
def test_an_empty_value_leaves_no_hole(code: str, name: str) -> None:
    set_language("en")
    step = (code, *("" if each == name else VALUES.get(each, "7") for each in STEPS[code]))
    (said,) = explain([step], "EUR", {})
    assert "()" not in said
    assert "  " not in said
    assert "“”" not in said


def test_names_prices_and_codes_are_put_into_words() -> None:
    set_language("en")
    names = {"user:1": "Reception", "company:2": "Acme"}
    steps = [
        ("by_pin", "user:1"),
        ("by_company", "2"),
        ("class", "international"),
        ("line", "night", "0.0123456", "60", "6", "18"),
        ("rate", "Peru", "51", "2026-02-03"),
    ]
    assert explain(steps, "EUR", names) == [
        "The account code in the record belongs to Reception.",
        "No sub-account was found: the call is the company's, Acme.",
        "Class of the call: International.",
        "18 s at €0.0123456 per 60 s, in steps of 6 s (time band “night”).",
        "The rate “Peru” applies (51), in force since 3 Feb 2026.",
    ]


def test_what_a_newer_program_wrote_is_shown_as_it_stands() -> None:
    set_language("en")
    assert explain([("teleported", "a", "b")], "EUR", {}) == ["teleported a b"]
    assert explain([("class",)], "EUR", {}) == ["class"]
    assert explain([("min", "not a number")], "EUR", {}) == [
        "The minimum charge of the rate applies: not a number."
    ]


def test_records_are_shown_with_their_lines_broken() -> None:
    assert pretty('{"a":[1,"é"]}') == '{\n  "a": [\n    1,\n    "é"\n  ]\n}'
    assert "<a>\n  <b>1</b>\n</a>" in pretty("<a><b>1</b></a>")
    bomb = '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    for untouched in ("a,b,c", '{"a":', "<a>", bomb, "[" * 100_000):
        assert pretty(untouched) == untouched

"""Decks in every spelling become rates; what can't be read is named; what changes is told."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from billing.aggregates.rate_group import RateGroup
from billing.decks import cells
from billing.decks.changes import find_changes
from billing.decks.columns import guess
from billing.decks.impact import PastCall, measure_impact
from billing.decks.reading import Deck, Terms, read_deck
from billing.rating import rates
from billing.rating.rates import Rate, RateKey, Tier, key_of
from billing.sheets import read_sheet

ZONE = ZoneInfo("Europe/Madrid")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TERMS = Terms(zone=ZONE, effective_from=NOON)


def deck(text: str) -> Deck:
    rows = list(read_sheet(text.encode(), "deck.csv"))
    header, columns = guess(rows)
    return read_deck(rows, header, columns, TERMS)


@pytest.mark.parametrize(
    ("cell", "code", "expected"),
    [
        ("34600", "", ["34600"]),
        ("+34 600", "", ["34600"]),
        ("0034600", "", ["34600"]),
        ("56, 562; 563/564", "", ["56", "562", "563", "564"]),
        ("5690-5692", "", ["5690", "5691", "5692"]),
        ("5690 \u2013 2", "", ["5690", "5691", "5692"]),
        ("9 2-4", "56", ["569", "562", "563", "564"]),
        ("", "+56", ["56"]),
    ],
)
def test_prefixes_are_read_in_every_spelling(cell: str, code: str, expected: list[str]) -> None:
    assert cells.prefixes(cell, code) == expected


def test_a_spanish_deck_with_a_title_decimal_commas_and_several_prefixes_in_a_cell() -> None:
    found = deck(
        "Tarifas mayoristas;;;;\n;;;;\n"
        "DESTINO;Código país;Códigos de área;Precio €/min;Incrementos;Vigente desde\n"
        "Chile móvil;56;9;0,0125;60/60;01/12/2026\n"
        "Chile;56;2, 32-34;0,01;30/6;01/12/2026\n"
        "Perú;+51;;0,02;;\n"
    )
    assert not found.wrong
    assert [rate.prefix for rate in found.rates] == ["569", "562", "5632", "5633", "5634", "51"]
    assert found.rates[0].tiers == (Tier(price="0.0125", unit_s=60, increment_s=60),)
    assert found.rates[0].effective_from == datetime(2026, 11, 30, 23, tzinfo=UTC)
    assert found.rates[1].tiers[1] == Tier(from_s=30, price="0.01", unit_s=60, increment_s=6)
    assert found.rates[5].effective_from == NOON


def test_each_wrong_row_is_named_with_its_column() -> None:
    found = deck(
        "prefix,destination,price\n34,Spain,-1\nx,?,1\n35,A,0.1\n35,A,0.10\n35,B,0.2\n36,C,\n"
        "37,D,1/2\n5-99999,E,1\n"
    )
    assert [(each.row, each.column) for each in found.wrong] == [
        (2, "price"),
        (3, "prefix"),
        (6, "prefix"),
        (7, "price"),
        (8, "price"),
        (9, "prefix"),
    ]
    assert found.duplicates == 1
    assert "stands in row 4" in str(found.wrong[2].refusal)


def test_a_deck_by_name_sets_prices_of_areas() -> None:
    found = deck("Destination,Price\nSpain - Mobile,0.05\n")
    assert found.rates[0].area == "Spain - Mobile"


def rate(prefix: str, price: str, since: datetime | None = None) -> Rate:
    tiers = (Tier(price=price),)
    return Rate(name=prefix, prefix=prefix, effective_from=since, tiers=tiers)


def test_the_changes_of_a_deck_are_sorted_and_what_is_gone_ends() -> None:
    old = [rate("34", "0.1"), rate("35", "0.1"), rate("36", "0.1"), rate("37", "0.1")]
    group = RateGroup(currency="EUR", prices={key_of(each): each for each in old})
    at = NOON + timedelta(days=8)
    new = [rate("34", "0.2", at), rate("35", "0.05", at), rate("36", "0.1", at), rate("1", "1", at)]
    changes = find_changes(group, new, at, NOON)
    assert changes.counts == {"new": 1, "dearer": 1, "cheaper": 1, "other": 0, "gone": 1}
    assert changes.same == 1
    assert changes.ended == [RateKey(prefix="37", effective_from=at)]
    assert find_changes(group, new, None, NOON).ended == []


def test_the_impact_is_told_in_money() -> None:
    before = rates.RateGroup("g", "g", "EUR", [rate("34", "0.06")])
    after = before.with_changes([rate("34", "0.12", NOON)])
    calls = [PastCall(digits, "", "local", NOON, 60_000) for digits in ("34600", "351")]
    impact = measure_impact(calls, (before, after), NOON, ZONE)
    assert (impact.calls, impact.changed) == (2, 1)
    assert (impact.before_micros, impact.after_micros) == (60_000, 120_000)

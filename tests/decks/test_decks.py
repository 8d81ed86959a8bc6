"""Decks in every notation become rates; invalid rows are listed; changes are classified."""

import io
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from billing.decks import cells
from billing.decks.changes import find_changes
from billing.decks.columns import guess
from billing.decks.impact import NeededPrices, PastCall, differ
from billing.decks.reading import Deck, Terms, read_deck
from billing.rating.rates import Rate, RateKey, Tier
from billing.sheets.parsing import parse_sheet

ZONE = ZoneInfo("Europe/Madrid")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TERMS = Terms(zone=ZONE, effective_from=NOON)


def deck(text: str) -> Deck:
    rows = list(parse_sheet(io.BytesIO(text.encode()), "deck.csv", 1_000))
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
def test_prefixes_are_parsed_in_every_notation(cell: str, code: str, expected: list[str]) -> None:
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


def test_each_invalid_row_is_listed_with_its_column() -> None:
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
    assert found.wrong[2].values == {"prefix": "35", "row": "4"}


def test_a_deck_by_name_sets_prices_of_areas() -> None:
    found = deck("Destination,Price\nSpain - Mobile,0.05\n")
    assert found.rates[0].area == "Spain - Mobile"


def rate(prefix: str, price: str, since: datetime | None = None) -> Rate:
    tiers = (Tier(price=price),)
    return Rate(name=prefix, prefix=prefix, effective_from=since, tiers=tiers)


def test_the_changes_of_a_deck_are_sorted_and_removed_prices_end() -> None:
    old = [rate("34", "0.1"), rate("35", "0.1"), rate("36", "0.1"), rate("37", "0.1")]
    at = NOON + timedelta(days=8)
    new = [rate("34", "0.2", at), rate("35", "0.05", at), rate("36", "0.1", at), rate("1", "1", at)]
    changes = find_changes(old, new, at, NOON)
    assert changes.counts == {"new": 1, "dearer": 1, "cheaper": 1, "other": 0, "gone": 1}
    assert changes.same == 1
    assert changes.ended == [RateKey(prefix="37", effective_from=at)]
    assert find_changes(old, new, None, NOON).ended == []


def test_a_price_is_compared_with_the_one_in_force_when_it_begins() -> None:
    day = timedelta(days=1)
    versions: list[Rate | RateKey] = [
        rate("34", "0.3", NOON + 9 * day),
        RateKey(prefix="34", effective_from=NOON + 5 * day),
        rate("34", "0.1"),
        rate("341", "0.1"),
    ]
    new = [rate("34", "0.2", NOON + days * day) for days in (1, 6, 9)]
    changes = find_changes(versions, new, None, NOON)
    assert changes.counts == {"new": 1, "dearer": 1, "cheaper": 1, "other": 0, "gone": 0}


def test_only_prices_that_a_call_may_need_are_kept() -> None:
    calls = [PastCall("1", "34600", "Madrid", 0), PastCall("2", "351", "", 0)]
    later = NOON + timedelta(days=1)
    old = [
        Rate(name="a", area="Madrid", tiers=(Tier(price="1"),)),
        Rate(name="b", area="Bilbao", tiers=(Tier(price="1"),)),
        Rate(name="c", call_class="local", tiers=(Tier(price="1"),)),
        rate("34", "0.1"),
        rate("346", "0.1"),
        rate("349", "0.1"),
    ]
    needed = NeededPrices(calls, later)
    changes = find_changes(
        old, [rate("34", "0.2", later), rate("7", "1")], later, NOON, needed.watch
    )
    assert changes.counts["gone"] == 2
    before, after = needed.groups("EUR")
    for number, prices in (("34600", ("0.1", "0.2")), ("34700", ("0.1", "0.2")), ("351", ("", ""))):
        for group, price in zip((before, after), prices, strict=True):
            found = group.by_prefix(number, NOON)
            assert (found.rate.tiers[0].price if found else "") == price
    assert before.by_area("Madrid", NOON)
    assert not before.by_area("Bilbao", NOON)
    assert [differ((before, after), each, NOON) for each in calls] == [True, False]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("34,A,1000000.01,2026-12-01", "price"),
        ("34,A,99999999999999,2026-12-01", "price"),
        ("34,A,1,0001-01-01", "effective_from"),
        ("34,A,1,9999-12-31", "effective_from"),
        ("3" * 19 + ",A,1,2026-12-01", "prefix"),
    ],
)
def test_an_impossible_price_is_refused(row: str, column: str) -> None:
    found = deck(f"prefix,name,price,effective date\n{row}\n")
    assert [each.column for each in found.wrong] == [column]

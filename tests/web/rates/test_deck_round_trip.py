"""A rate group that was exported is imported whole and without a change."""

import io
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.decks.changes import find_changes
from billing.decks.columns import guess
from billing.decks.further import normalized
from billing.decks.reading import Deck, Terms, read_deck
from billing.rating.rates import CLASSES, Band, Rate, Tier, target_of, validate_rate
from billing.sheets.parsing import parse_sheet
from billing.values import Refused
from billing.web.files.lists import cells_of, columns_of
from billing.web.files.tables import Sheet, write_csv, write_workbook
from billing.web.kit.i18n import set_language
from billing.web.rates.deck_export import export_fields

ZONE = ZoneInfo("America/Santiago")
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PRICES = st.sampled_from(["0", "0.1", "0.10", "0.01234567", "12.5", "1000000"])
NAMES = st.sampled_from(["España, móvil", "=1+1", 'Perú; "Lima"', "-x", "local"])
SINCE = st.sampled_from([
    None,
    datetime(2026, 1, 1, 3, tzinfo=UTC),  # midnight in Santiago
    datetime(2026, 1, 1, 9, 30, 0, 5, tzinfo=UTC),
])  # fmt: skip


@st.composite
def tiers(draw: st.DrawFn) -> tuple[Tier, ...]:
    starts = draw(st.lists(st.integers(1, 300), max_size=2, unique=True).map(sorted))
    return tuple(
        Tier(
            from_s=start,
            price=draw(PRICES),
            unit_s=draw(st.sampled_from([1, 60, 3600])),
            increment_s=draw(st.sampled_from([1, 6, 60])),
        )
        for start in (0, *starts)
    )


BANDS = st.builds(
    Band,
    name=st.sampled_from(["Noche", "Fin de semana"]),
    days=st.sampled_from([(), (6, 7)]),
    dates=st.sampled_from([(), ("2026-12-25",)]),
    from_time=st.just("20:00:00"),
    to_time=st.just("08:00:00"),
    weight=st.integers(0, 3),
    tiers=tiers(),
    connect_fee=st.sampled_from(["", "0.05"]),
)
TARGETS = st.one_of(
    st.builds(lambda code: {"call_class": code}, st.sampled_from(CLASSES)),
    st.builds(lambda area: {"area": area}, st.sampled_from(["España", "Perú móvil"])),
    st.builds(lambda digits: {"prefix": digits}, st.from_regex(r"[1-9][0-9]{0,8}", fullmatch=True)),
)


@st.composite
def rates(draw: st.DrawFn) -> Rate:
    return Rate(
        **draw(TARGETS),
        name=draw(NAMES),
        effective_from=draw(SINCE),
        connect_fee=draw(PRICES),
        tiers=draw(tiers()),
        bands=tuple(draw(st.lists(BANDS, max_size=2))),
        band_policy=draw(st.sampled_from(["start", "split"])),
        free_below_s=draw(st.integers(0, 5)),
        min_cost=draw(st.sampled_from(["", "0.02"])),
        max_cost=draw(st.sampled_from(["", "7.50"])),
        decimals=draw(st.integers(0, 6)),
        rounding=draw(st.sampled_from(["half_up", "up", "down", "half_even"])),
        forbidden=draw(st.booleans()),
    )


def is_valid(rate: Rate) -> bool:
    try:
        validate_rate(rate)
    except Refused:  # bands overlap
        return False
    return True


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("spoken", ["es", "en"])
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(rates().filter(is_valid), min_size=1, max_size=6, unique_by=target_of))
def test_an_exported_group_is_imported_without_a_change(
    kind: str, spoken: str, group: list[Rate]
) -> None:
    set_language(spoken)
    deck = read_back(kind, spoken, group)
    assert deck.wrong == []
    assert [normalized(rate) for rate in deck.rates] == [normalized(rate) for rate in group]
    current = sorted(group, key=target_of)
    changes = find_changes(current, deck.rates, NOW, NOW)
    assert (changes.rates, changes.ended, changes.same) == ([], [], len(group))


def read_back(kind: str, spoken: str, group: list[Rate]) -> Deck:
    fields, file = export_fields(ZONE, spoken), io.BytesIO()
    rows = [cells_of(fields, rate) for rate in group]
    if kind == "csv":
        write_csv(file, columns_of(fields), rows, ZONE)
    else:
        write_workbook(file, [Sheet("Precios", columns_of(fields), rows)], [], ZONE)
    file.seek(0)
    sheet = list(parse_sheet(file, f"group.{kind}", 100))
    header, places = guess(sheet)
    return read_deck(sheet, header, places, Terms(zone=ZONE, effective_from=NOW))

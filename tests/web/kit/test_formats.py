"""Days and months in words, and the names of prices, in both languages."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from billing.web.kit import formats, words
from billing.web.kit.explain import explain
from billing.web.kit.i18n import set_language

LATE = datetime(2026, 11, 26, 23, 30, tzinfo=UTC)  # the 27th in Madrid


@pytest.mark.parametrize(
    ("language", "long", "short", "month"),
    [
        ("es", "viernes, 27 de noviembre de 2026", "vie, 27 nov 2026", "noviembre de 2026"),
        ("en", "Friday, 27 November 2026", "Fri, 27 Nov 2026", "November 2026"),
    ],
)
def test_a_day_is_written_one_way(language: str, long: str, short: str, month: str) -> None:
    set_language(language)
    assert formats.long_day(LATE, ZoneInfo("Europe/Madrid")) == long
    assert formats.weekday(date(2026, 11, 27)) == short
    assert formats.month("2026-11") == month


def test_prices_of_classes_have_names_in_the_language_of_the_reader() -> None:
    set_language("es")
    shown = [words.word(words.RATE_NAMES, name) for name in ("inter", "local", "Perú")]
    assert shown == ["Interna", "Local", "Perú"]
    (said,) = explain([("rate", "international", "international", "")], "EUR", {})
    assert "«Internacional»" in said

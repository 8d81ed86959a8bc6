"""What charts need: round axis marks, shades, and figures in the reader's language."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec
from babel import numbers

from billing.values import MICROS
from billing.web.kit import formats
from billing.web.kit.i18n import N_, gettext, locale

HOUR_SECONDS, MINUTE_SECONDS = 3600, 60
STEPS = (1, 2, 5, 10)
SHADES = 6
THOUSAND = 1000
MEASURES = {
    "amount": N_("Amount"),
    "calls": N_("Calls"),
    "answered": N_("Answered calls"),
    "talk": N_("Talk time"),
    "billed": N_("Billed time"),
}


class Measure(msgspec.Struct, frozen=True):
    """A figure of the statistics, and its format."""

    name: str
    currency: str

    @property
    def label(self) -> str:
        """Its label."""
        return gettext(MEASURES[self.name])

    def text(self, value: int) -> str:
        """Return a value in full."""
        if self.name == "amount":
            return formats.money(value, self.currency)
        return formats.hm(value) if self.name in ("talk", "billed") else formats.decimal(value)

    def short(self, value: int) -> str:
        """Return a value in short form."""
        if self.name in ("talk", "billed"):
            minutes = round(value / MINUTE_SECONDS)
            return f"{minutes // 60}:{minutes % 60:02}"
        plain = Decimal(value) / MICROS if self.name == "amount" else Decimal(value)
        if plain < THOUSAND:
            digits = 2 if self.name == "amount" and plain < STEPS[-1] else 0
            return formats.decimal(plain, digits)
        return numbers.format_compact_decimal(plain, locale=locale(), fraction_digits=1)

    def mark(self, value: int, step: int) -> str:
        """Return the label of an axis mark."""
        if self.name == "amount":
            return formats.money(value, self.currency, 0 if step >= MICROS else 2)
        if self.name in ("talk", "billed"):
            whole = step % HOUR_SECONDS == 0
            unit = HOUR_SECONDS if whole else MINUTE_SECONDS
            return f"{formats.decimal(value // unit)} {'h' if whole else 'min'}"
        return formats.decimal(value)

    def axis(self, values: Iterable[int]) -> list[tuple[int, str]]:
        """Return four or five round marks from zero to above the highest value."""
        top = max(values, default=0)
        unit = 1
        if self.name == "amount":
            unit = MICROS // 100
        elif self.name in ("talk", "billed"):
            unit = HOUR_SECONDS if top > 3 * HOUR_SECONDS else MINUTE_SECONDS
        step = _step(top, unit)
        count = max(1, -(-top // step))
        return [(number * step, self.mark(number * step, step)) for number in range(count + 1)]


def _step(top: int, unit: int) -> int:
    """Return the smallest round multiple of a unit of which five reach the top."""
    power = unit
    while True:
        for factor in STEPS:
            if factor * power * 5 >= top:
                return factor * power
        power *= 10


def shade(value: int, top: int) -> int:
    """Return the shade of a cell in a heat map: 0 for nothing, then 1 to SHADES."""
    if value <= 0 or top <= 0:
        return 0
    return min(SHADES, 1 + value * SHADES // (top + 1))

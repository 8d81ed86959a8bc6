"""From the rows of a deck to its rates, with each wrong row named."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec

from billing.decks import cells
from billing.rating.rates import Key, Rate, Tier, key_of
from billing.sheets import Row
from billing.values import Refused, possible_price

MOST_TOLD = 1_000  # wrong rows that are named one by one
T = TypeVar("T")


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a deck leaves unsaid."""

    zone: ZoneInfo
    effective_from: datetime | None = None
    unit_s: int = 60  # that the price is for
    increment: str = "1"


class Wrong(msgspec.Struct, frozen=True):
    """A row that can't be taken: where, and why: a msgid and what fills its placeholders."""

    row: int
    column: str
    message: str
    values: dict[str, str]


class Deck(msgspec.Struct, kw_only=True):
    """What a sheet holds."""

    rates: list[Rate] = []
    rows: int = 0
    duplicates: int = 0  # the same said twice
    wrong: list[Wrong] = []
    wrong_rows: int = 0


class _Bad(Exception):  # noqa: N818 -- an outcome of a cell
    def __init__(self, column: str, refusal: Refused) -> None:
        super().__init__(column)
        self.column, self.refusal = column, refusal


def read_deck(rows: Iterable[Row], header: int, columns: dict[str, int], terms: Terms) -> Deck:
    """The rates of the rows beneath the header. `columns` says where what stands."""
    deck, reader = Deck(), _Reader(columns, terms)
    seen: dict[Key, tuple[Rate, int]] = {}
    for row in rows:
        if row.number <= header:
            continue
        deck.rows += 1
        try:
            rates = reader.rates(row)
            for rate in rates:
                earlier = seen.setdefault(key_of(rate), (rate, row.number))
                if earlier[0] is rate:
                    deck.rates.append(rate)
                elif earlier[0].tiers == rate.tiers:
                    deck.duplicates += 1
                else:
                    said = Refused(
                        "%(prefix)s stands in row %(row)s with another price.",
                        prefix=rate.prefix or rate.area,
                        row=earlier[1],
                    )
                    raise _Bad("prefix", said)  # noqa: TRY301 -- told like the others
        except _Bad as bad:
            deck.wrong_rows += 1
            if len(deck.wrong) < MOST_TOLD:
                values = {name: str(value) for name, value in bad.refusal.values.items()}
                deck.wrong.append(Wrong(row.number, bad.column, bad.refusal.message, values))
    return deck


class _Reader:
    """Reads row after row; what recurs is read once."""

    def __init__(self, columns: dict[str, int], terms: Terms) -> None:
        self._columns, self._terms = columns, terms
        self._tiers = lru_cache(50_000)(self._read_tiers)
        self._day = lru_cache(1_000)(lambda cell: cells.beginning(cell, terms.zone))
        self._price = lru_cache(50_000)(possible_price)
        self._by_name = "prefix" not in columns and "country_code" not in columns

    def rates(self, row: Row) -> list[Rate]:
        """The rates of a row, one a prefix."""
        where = self._columns
        name = row.cell(where.get("name"))
        price = self._take("price", row, self._price)
        if not price:
            raise _Bad("price", Refused("There is no price."))
        steps = row.cell(where.get("increment")) or self._terms.increment
        try:
            tiers = self._tiers(price, steps)
        except Refused as refusal:
            raise _Bad("increment", refusal) from refusal
        since = self._take("effective_from", row, self._day) or self._terms.effective_from
        fee = self._take("connect_fee", row, self._price) or "0"
        least = self._take("min_cost", row, self._price) or ""
        if self._by_name:
            if not name:
                raise _Bad("name", Refused("There is no name."))
            found, areas = [""], name
        else:
            found, areas = self._prefixes(row), ""
        return [
            Rate(
                name=name or prefix,
                prefix=prefix,
                area=areas,
                effective_from=since,
                connect_fee=fee,
                tiers=tiers,
                min_cost=least,
            )
            for prefix in found
        ]

    def _prefixes(self, row: Row) -> list[str]:
        where = self._columns
        code = row.cell(where.get("country_code"))
        try:
            found = cells.prefixes(row.cell(where.get("prefix")), code)
        except Refused as refusal:
            raise _Bad("prefix", refusal) from refusal
        if not found:
            raise _Bad("prefix", Refused("There is no prefix."))
        return found

    def _take(self, column: str, row: Row, read: Callable[[str], T]) -> T | None:
        cell = row.cell(self._columns.get(column))
        if not cell:
            return None
        try:
            return read(cell)
        except Refused as refusal:
            raise _Bad(column, refusal) from refusal

    def _read_tiers(self, price: str, steps: str) -> tuple[Tier, ...]:
        first, then = cells.increments(steps)
        unit = self._terms.unit_s
        begin = Tier(from_s=0, price=price, unit_s=unit, increment_s=first)
        if first == then:
            return (begin,)
        return (begin, Tier(from_s=first, price=price, unit_s=unit, increment_s=then))

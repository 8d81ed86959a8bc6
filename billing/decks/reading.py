"""Parses the rows of a deck into rates, and reports each invalid row."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec

from billing.decks import cells
from billing.decks.further import plain_tiers, with_terms
from billing.rating.rates import Key, Rate, Target, Tier, key_of, validate_rate
from billing.sheets import Row
from billing.values import Refused, is_digits, possible_price

MOST_LISTED = 1_000  # invalid rows listed one by one
LONGEST_UNIT = 86_400  # seconds
T = TypeVar("T")


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Values that a deck does not contain itself."""

    zone: ZoneInfo
    effective_from: datetime | None = None
    unit_s: int = 60  # of the price
    increment: str = "1"


class Wrong(msgspec.Struct, frozen=True):
    """A row that was refused: its place, a msgid, and the values of its placeholders."""

    row: int
    column: str
    message: str
    values: dict[str, str]


class Deck(msgspec.Struct, kw_only=True):
    """The content of a sheet."""

    rates: list[Rate] = []
    rows: int = 0
    duplicates: int = 0  # rows that repeat an earlier price
    wrong: list[Wrong] = []
    wrong_rows: int = 0


class _Bad(Exception):  # noqa: N818 -- an outcome of a cell
    def __init__(self, column: str, refusal: Refused) -> None:
        super().__init__(column)
        self.column, self.refusal = column, refusal


def read_deck(rows: Iterable[Row], header: int, columns: dict[str, int], terms: Terms) -> Deck:
    """Parse the rows below the header into rates. `columns` maps keys to column indexes."""
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
                elif (earlier[0].tiers, earlier[0].bands) == (rate.tiers, rate.bands):
                    deck.duplicates += 1
                else:
                    repeated = Refused(
                        "%(prefix)s is also in row %(row)s with another price.",
                        prefix=rate.prefix or rate.call_class or rate.area,
                        row=earlier[1],
                    )
                    raise _Bad("prefix", repeated)  # noqa: TRY301 -- handled below
        except _Bad as bad:
            deck.wrong_rows += 1
            if len(deck.wrong) < MOST_LISTED:
                values = {name: str(value) for name, value in bad.refusal.values.items()}
                deck.wrong.append(Wrong(row.number, bad.column, bad.refusal.message, values))
    return deck


class _Reader:
    """Parses rows one by one; repeated cells are parsed once."""

    def __init__(self, columns: dict[str, int], terms: Terms) -> None:
        self._columns, self._terms = columns, terms
        self._tiers = lru_cache(50_000)(self._read_tiers)
        self._day = lru_cache(1_000)(lambda cell: cells.beginning(cell, terms.zone))
        self._price = lru_cache(50_000)(possible_price)
        self._by_name = "prefix" not in columns and "country_code" not in columns

    def rates(self, row: Row) -> list[Rate]:
        """Return the rates of a row, one per prefix. Raises _Bad."""
        where = self._columns
        name, terms = row.cell(where.get("name")), row.cell(where.get("further"))
        price = self._take("price", row, self._price)
        if not price and not terms:
            raise _Bad("price", Refused("There is no price."))
        steps = row.cell(where.get("increment")) or self._terms.increment
        unit = row.cell(where.get("unit"))
        try:
            tiers = self._tiers(price, steps, unit) if price else ()
        except Refused as refusal:
            raise _Bad("increment", refusal) from refusal
        since = self._take("effective_from", row, self._day) or self._terms.effective_from
        fee = self._take("connect_fee", row, self._price) or "0"
        least = self._take("min_cost", row, self._price) or ""
        return [
            self._completed(
                Rate(
                    name=name or prefix,
                    prefix=prefix,
                    call_class=call_class,
                    area=area,
                    effective_from=since,
                    connect_fee=fee,
                    tiers=tiers,
                    min_cost=least,
                ),
                terms,
            )
            for prefix, call_class, area in self._targets(row, name)
        ]

    def _targets(self, row: Row, name: str) -> list[Target]:
        """Return what a row is for: its prefixes, or a class of calls, or an area."""
        call_class = row.cell(self._columns.get("call_class"))
        area = row.cell(self._columns.get("area"))
        if call_class or area:
            prefix = row.cell(self._columns.get("prefix"))
            return [(prefix, call_class, area)]
        if not self._by_name:
            return [(prefix, "", "") for prefix in self._prefixes(row)]
        if not name:
            raise _Bad("name", Refused("There is no name."))
        return [("", "", name)]

    def _completed(self, rate: Rate, terms: str) -> Rate:
        if not terms and not rate.call_class and not rate.area:
            return rate
        try:
            whole = with_terms(rate, terms) if terms else rate
            validate_rate(whole)
        except Refused as refusal:
            raise _Bad("further" if terms else "name", refusal) from refusal
        return whole

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

    def _read_tiers(self, price: str, steps: str, unit: str) -> tuple[Tier, ...]:
        if unit and not (is_digits(unit) and 0 < int(unit[:6]) <= LONGEST_UNIT):
            raise Refused("%(text)s is not a number of seconds.", text=repr(unit))
        unit_s = int(unit) if unit else self._terms.unit_s
        return plain_tiers(price, unit_s, *cells.increments(steps))

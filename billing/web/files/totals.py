"""The totals of an exported list: of the written rows, by currency."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from billing.web.files.xlsx import Column, Kind
from billing.web.kit.i18n import gettext

AMOUNTS = ("amount", "exact")


class Sums:
    """Adds up the columns whose total makes sense; amounts by currency, never across."""

    def __init__(self, columns: Sequence[Column], title: str) -> None:
        self._title = title
        self._columns = columns
        self._summed = [place for place, column in enumerate(columns) if column.sum]
        kinds = [column.kind for column in columns]
        self._currency = kinds.index("currency") if "currency" in kinds else None
        self._plain: dict[int, int] = defaultdict(int)
        self._amounts: dict[tuple[int, str], int] = defaultdict(int)

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add the cells of some rows."""
        for place in self._summed:
            if self._columns[place].kind in AMOUNTS and self._currency is not None:
                for row in rows:
                    if row[place] is not None and row[self._currency]:
                        self._amounts[place, row[self._currency]] += row[place]
            else:
                self._plain[place] += sum(row[place] or 0 for row in rows)

    def row(self) -> list[Any]:
        """Return the cells of the totals, below their columns; empty where there is none."""
        if not self._summed:
            return []
        cells: list[Any] = [None] * len(self._columns)
        currencies = {currency for _, currency in self._amounts}
        for place, value in self._plain.items():
            cells[place] = value
        if len(currencies) == 1:
            for (place, currency), micros in self._amounts.items():
                cells[place] = micros
                if self._currency is not None:
                    cells[self._currency] = currency
        if cells[0] is None and self._columns[0].kind == "text":
            cells[0] = self._title
        elif cells[1] is None and self._columns[1].kind == "text":
            cells[1] = self._title
        return cells

    def facts(self) -> list[tuple[str, Kind, int]]:
        """Return each total with its name; a row of cells can't show several currencies."""
        found: list[tuple[str, Kind, int]] = [
            (self._columns[place].head, self._columns[place].kind, value)
            for place, value in self._plain.items()
        ]
        for (place, currency), micros in sorted(self._amounts.items()):
            column = self._columns[place]
            title = gettext("%(what)s in %(currency)s", what=column.head, currency=currency)
            found.append((title, column.kind, micros))
        return found

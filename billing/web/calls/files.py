"""Calls as CSV and Excel rows, and which of them count in the totals."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from billing.queries.calls import CallRow
from billing.web.calls.columns import CALL_COLUMNS
from billing.web.files.tables import CsvFile, Facts
from billing.web.files.writer import ListWriter
from billing.web.files.xlsx import MOST_ROWS, Column
from billing.web.kit import words
from billing.web.kit.i18n import gettext, set_language

CHARGED = ("rated", "rerated")  # other calls are listed and not charged


def _columns() -> list[Column]:
    return [column.in_file() for column in CALL_COLUMNS]


class _Words(dict[Any, str]):
    """The labels of codes, looked up once; a code without a label stands for itself."""

    def __missing__(self, code: Any) -> str:
        self[code] = str(code)
        return self[code]


class CallCells:
    """Makes the cells of calls."""

    def __init__(self) -> None:
        self._values = attrgetter(*(column.field for column in CALL_COLUMNS))
        self._words, self._several = list[tuple[int, _Words]](), list[tuple[int, _Words]]()
        for place, column in enumerate(CALL_COLUMNS):
            if column.codes:
                found = self._several if column.several else self._words
                found.append((place, _Words(words.choices(column.codes))))

    def of(self, row: CallRow) -> list[Any]:
        """Return the cells of one call."""
        cells = list(self._values(row))
        for place, known in self._words:
            cells[place] = known[cells[place]]
        for place, known in self._several:
            codes = cells[place]
            cells[place] = ", ".join([known[code] for code in codes]) if codes else ""
        return cells


class CallCsv:
    """Writes a CSV file of calls."""

    def __init__(self, file: BinaryIO, zone: ZoneInfo) -> None:
        self._csv = CsvFile(file, zone, _columns())
        self._cells = CallCells()

    def add(self, rows: Iterable[CallRow]) -> None:
        """Write some calls."""
        self._csv.add(map(self._cells.of, rows))

    def finish(self, facts: Facts) -> None:
        """Do nothing: a CSV file has no facts."""


class CallWriter(ListWriter):
    """An Excel file of calls."""

    def __init__(
        self, file: Path | BinaryIO, zone: ZoneInfo, said: str, most_rows: int = MOST_ROWS
    ) -> None:
        set_language(said)
        super().__init__(file, zone, said, gettext("Calls"), _columns(), most_rows)
        self._cells = CallCells()

    def sum_title(self) -> str:
        """The label of the totals; suspended and voided calls are listed and not added up."""
        return gettext("Total of charged calls")

    def add(self, rows: Sequence[CallRow]) -> None:
        """Write some calls; only charged ones count in the totals."""
        cells = list(map(self._cells.of, rows))
        charged = [own for own, row in zip(cells, rows, strict=True) if row.status in CHARGED]
        self.write(cells, charged)

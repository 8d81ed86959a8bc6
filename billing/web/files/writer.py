"""Write a list to an Excel file in batches, in constant memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from billing.web.files.tables import Facts, about
from billing.web.files.totals import Sums
from billing.web.files.xlsx import MOST_ROWS, Book, Column, Kind
from billing.web.kit.i18n import gettext, set_language


class ListWriter:
    """Writes a list with its totals, and a sheet with its filter. Blocks: call it in a thread."""

    def __init__(  # noqa: PLR0917 -- used through partial, with the properties of a list
        self,
        file: Path | BinaryIO,
        zone: ZoneInfo,
        said: str,
        title: str,
        columns: Sequence[Column],
        most_rows: int = MOST_ROWS,
    ) -> None:
        set_language(said)  # a thread may have another context
        self._said = said
        self._book = Book(file, zone, most_rows)
        self._book.sheet(title, columns)
        self._sums = Sums(columns, self.sum_title())
        self.rows_written = 0

    def sum_title(self) -> str:
        """The label of the totals."""
        return gettext("Total")

    def add(self, rows: Sequence[Any]) -> None:
        """Write some rows."""
        self.write(rows, rows)

    def write(self, rows: Sequence[Any], counted: Sequence[Any]) -> None:
        """Write the cells of rows; `counted` are those that count in the totals."""
        self._book.rows(rows)
        self._sums.add(counted)
        self.rows_written += len(rows)

    def finish(self, facts: Facts) -> None:
        """Write the totals and the facts about the filter, and close the file."""
        set_language(self._said)
        if total := self._sums.row():
            self._book.total(total)
        about(self._book, [*facts, (gettext("Time zone"), self._book.zone.key)])
        self._fact(gettext("Rows"), "count", self.rows_written)
        for fact in self._sums.facts():
            self._fact(*fact)
        self._book.close()

    def _fact(self, title: str, kind: Kind, value: int) -> None:
        self._book.row_of([Column(""), Column("", kind)], [title, value])

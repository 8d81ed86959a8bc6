"""Calls as CSV and as Excel: what their columns are, and the sums of what was written."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from billing.projections.reading.calls import CallRow
from billing.values import Money
from billing.web import words
from billing.web.export_table import CsvTable
from billing.web.export_xlsx import Book, Column
from billing.web.i18n import gettext, set_language

CHARGED = ("rated", "rerated")  # others are on the list, but nothing of them is charged


def call_columns() -> list[Column]:
    """The columns of a call."""
    return [
        Column(gettext("Date and time"), "time", 20),
        Column(gettext("Company"), width=28),
        Column(gettext("User account"), width=20),
        Column(gettext("Gateway account"), width=20),
        Column(gettext("Extension"), width=10),
        Column(gettext("Caller"), width=20),
        Column(gettext("Number"), width=20, own=True),
        Column(gettext("Destination"), width=24),
        Column(gettext("Class"), width=14),
        Column(gettext("Device"), width=22),
        Column(gettext("Result"), width=14),
        Column(gettext("Status"), width=14),
        Column(gettext("Reason"), width=18),
        Column(gettext("Talk time"), "duration", 10),
        Column(gettext("Billed seconds"), "count", 10),
        Column(gettext("Amount"), "exact", 12),
        Column(gettext("Currency"), width=9),
        Column(gettext("Rate"), width=20),
        Column(gettext("Call"), width=34, own=True),
    ]


class CallCells:
    """Makes the cells of calls; the words of their codes are looked up once."""

    def __init__(self) -> None:
        self._classes = dict(words.choices(words.CLASSES))
        self._results = dict(words.choices(words.RESULTS))
        self._statuses = dict(words.choices(words.STATUSES))
        self._reasons = dict(words.choices(words.REASONS))

    def of(self, row: CallRow) -> list[Any]:
        """The cells of one call."""
        return [
            row.started_at,
            row.company,
            row.user,
            row.gateway,
            row.extension,
            row.caller,
            row.number,
            row.area,
            self._classes.get(row.call_class, row.call_class),
            row.device,
            self._results.get(row.result, row.result),
            self._statuses.get(row.status, row.status),
            self._reasons.get(row.reason, row.reason),
            row.talk_ms // 1000,
            row.billed_seconds,
            row.amount_micros,
            row.currency,
            row.rate_name,
            row.call_id,
        ]


class CsvWriter:
    """Lines of calls."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._table = CsvTable(call_columns(), zone)
        self._cells = CallCells()

    def head(self) -> str:
        """The first line."""
        return self._table.head()

    def rows(self, rows: list[CallRow]) -> str:
        """The lines of some calls."""
        return self._table.rows(self._cells.of(row) for row in rows)


class WorkbookWriter:
    """An Excel file of calls, some at a time in constant memory. Blocks: call it in a thread."""

    def __init__(self, path: Path, zone: ZoneInfo, chosen_language: str) -> None:
        set_language(chosen_language)  # a thread may come with another context
        self._zone = zone
        self._book = Book(path, zone)
        self._book.sheet(gettext("Calls"), call_columns())
        self._cells = CallCells()
        self._sums: dict[str, int] = {}
        self._talk_ms = 0
        self._billed_seconds = 0
        self.rows_written = 0

    def add(self, rows: list[CallRow]) -> None:
        """Write some calls."""
        self._book.rows(map(self._cells.of, rows))
        for row in rows:
            if row.status in CHARGED:
                self._talk_ms += row.talk_ms
                self._billed_seconds += row.billed_seconds
                if row.currency:
                    self._sums[row.currency] = self._sums.get(row.currency, 0) + row.amount_micros
        self.rows_written += len(rows)

    def finish(self, chosen_language: str, described: Sequence[tuple[str, str]]) -> None:
        """Add the sums and the sheet that names the filter, and close the file."""
        set_language(chosen_language)
        totals = self.totals()
        one = totals[0] if len(totals) == 1 else None  # currencies are never added up
        sums: list[Any] = [None] * len(call_columns())
        sums[1] = gettext("Total")
        sums[13:17] = (
            self._talk_ms // 1000,
            self._billed_seconds,
            one.micros if one else None,
            one.currency if one else "",
        )
        self._book.total(sums)
        made = datetime.now(UTC).astimezone(self._zone).strftime("%Y-%m-%d %H:%M")
        columns = [Column(gettext("Filter"), width=28), Column("", width=28)]
        self._book.sheet(gettext("Filter"), columns)
        self._book.rows([*described, (gettext("Made at"), made)])
        self._figures(gettext("Calls"), "count", self.rows_written)
        self._figures(gettext("Talk time"), "duration", self._talk_ms // 1000)
        for total in totals:
            title = gettext("Amount in %(currency)s", currency=total.currency)
            self._figures(title, "exact", total.micros)
        self._book.close()

    def _figures(self, title: str, kind: Any, value: int) -> None:
        self._book.row_of([Column("", "text"), Column("", kind)], [title, value])

    def totals(self) -> list[Money]:
        """What was written, added up by currency."""
        return [Money(micros, currency) for currency, micros in sorted(self._sums.items())]

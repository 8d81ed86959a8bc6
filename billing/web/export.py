"""Writes calls as CSV and as Excel: numbers as numbers, and no cell a spreadsheet would run."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import xlsxwriter

from billing.projections.reading.calls import CallRow
from billing.values import MICROS, Money, decimal_string
from billing.web import words
from billing.web.i18n import gettext, language, set_language

BYTE_ORDER_MARK = "\ufeff"  # without it Excel takes UTF-8 for something else
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
MOST_ROWS = 1_048_575  # of a sheet, beneath its head
DAY_SECONDS = 86_400
HEAD_WIDTHS = (20, 28, 10, 20, 20, 24, 14, 22, 14, 14, 18, 10, 10, 12, 9, 20, 34)


def heads(zone: ZoneInfo) -> list[str]:
    """The columns; the first names the zone of its times."""
    return [
        gettext("Date and time (%(zone)s)", zone=zone.key),
        gettext("Company"),
        gettext("Extension"),
        gettext("Caller"),
        gettext("Number"),
        gettext("Destination"),
        gettext("Class"),
        gettext("Device"),
        gettext("Result"),
        gettext("Status"),
        gettext("Reason"),
        gettext("Talk time"),
        gettext("Billed seconds"),
        gettext("Amount"),
        gettext("Currency"),
        gettext("Rate"),
        gettext("Call"),
    ]


def _texts(row: CallRow) -> tuple[str, ...]:
    """The cells between the time and the talk time."""
    return (
        row.company,
        row.extension,
        row.caller,
        row.number,
        row.area,
        words.word(words.CLASSES, row.call_class),
        row.device,
        words.word(words.RESULTS, row.result),
        words.word(words.STATUSES, row.status),
        words.word(words.REASONS, row.reason),
    )


class CsvWriter:
    """Lines of text for the reader's own spreadsheet program: its separator, its decimal mark."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._comma = language() == "es"
        self._buffer = io.StringIO()
        self._csv = csv.writer(self._buffer, delimiter=";" if self._comma else ",")

    def head(self) -> str:
        """The first line."""
        self._csv.writerow(heads(self._zone))
        return BYTE_ORDER_MARK + self._taken()

    def rows(self, rows: list[CallRow]) -> str:
        """The lines of some calls."""
        self._csv.writerows(self._cells(row) for row in rows)
        return self._taken()

    def _cells(self, row: CallRow) -> list[object]:
        amount = decimal_string(row.amount_micros)
        local = row.started_at.astimezone(self._zone)
        return [
            local.strftime("%Y-%m-%d %H:%M:%S"),
            *(unformula(text) for text in _texts(row)),
            row.talk_ms // 1000,
            row.billed_seconds,
            amount.replace(".", ",") if self._comma else amount,
            row.currency,
            unformula(row.rate_name),
            unformula(row.call_id),
        ]

    def _taken(self) -> str:
        text = self._buffer.getvalue()
        self._buffer.seek(0)
        self._buffer.truncate()
        return text


def unformula(text: str) -> str:
    """The text so that a spreadsheet program takes it for text."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


class WorkbookWriter:
    """An Excel file, row by row in constant memory. Blocks: call it in a thread."""

    def __init__(self, path: Path, zone: ZoneInfo, chosen_language: str) -> None:
        set_language(chosen_language)  # a thread may come with another context
        self._zone = zone
        self._book = xlsxwriter.Workbook(
            path, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        )
        self._head = self._book.add_format({"bold": True, "bottom": 1})
        self._time = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._talk = self._book.add_format({"num_format": "[h]:mm:ss"})
        self._call_amount = self._book.add_format({"num_format": "#,##0.0000"})
        self._total_amount = self._book.add_format({"num_format": "#,##0.00"})
        self._count = self._book.add_format({"num_format": "#,##0"})
        self._sums: dict[str, int] = {}
        self._talk_ms = 0
        self.rows_written = 0
        self._sheets = 0
        self._add_sheet()

    def add(self, rows: list[CallRow]) -> None:
        """Write some calls."""
        for row in rows:
            if self._line > MOST_ROWS:
                self._add_sheet()
            self._write(row)
            self._line += 1
            if row.status not in ("rated", "rerated"):
                continue  # on the list, but nothing of it is charged
            self._talk_ms += row.talk_ms
            if row.currency:
                self._sums[row.currency] = self._sums.get(row.currency, 0) + row.amount_micros
        self.rows_written += len(rows)

    def finish(self, chosen_language: str, described: list[tuple[str, str]]) -> None:
        """Add the sheet that names the filter and its totals, and close the file."""
        set_language(chosen_language)
        sheet = self._book.add_worksheet(gettext("Filter"))
        sheet.set_column(0, 1, 28)
        made = datetime.now(UTC).astimezone(self._zone).strftime("%Y-%m-%d %H:%M")
        for line, (name, value) in enumerate([*described, (gettext("Made at"), made)]):
            sheet.write_string(line, 0, name, self._head)
            sheet.write_string(line, 1, value)
        line = len(described) + 2
        sheet.write_string(line, 0, gettext("Calls"), self._head)
        sheet.write_number(line, 1, self.rows_written, self._count)
        sheet.write_string(line + 1, 0, gettext("Talk time"), self._head)
        sheet.write_number(line + 1, 1, self._talk_ms / 1000 / DAY_SECONDS, self._talk)
        for offset, total in enumerate(self.totals(), 2):
            title = gettext("Amount in %(currency)s", currency=total.currency)
            sheet.write_string(line + offset, 0, title, self._head)
            sheet.write_number(line + offset, 1, _units(total.micros), self._total_amount)
        self._book.close()

    def totals(self) -> list[Money]:
        """What was written, added up by currency."""
        return [Money(micros, currency) for currency, micros in sorted(self._sums.items())]

    def _add_sheet(self) -> None:
        self._sheets += 1
        name = gettext("Calls") + (f" {self._sheets}" if self._sheets > 1 else "")
        self._sheet: Any = self._book.add_worksheet(name)
        for column, width in enumerate(HEAD_WIDTHS):
            self._sheet.set_column(column, column, width)
        self._sheet.freeze_panes(1, 0)
        for column, head in enumerate(heads(self._zone)):
            self._sheet.write_string(0, column, head, self._head)
        self._line = 1

    def _write(self, row: CallRow) -> None:
        sheet, line = self._sheet, self._line
        local = row.started_at.astimezone(self._zone).replace(tzinfo=None)
        sheet.write_datetime(line, 0, local, self._time)
        for column, text in enumerate(_texts(row), 1):
            if text:
                sheet.write_string(line, column, text)
        sheet.write_number(line, 11, row.talk_ms // 1000 / DAY_SECONDS, self._talk)
        sheet.write_number(line, 12, row.billed_seconds, self._count)
        sheet.write_number(line, 13, _units(row.amount_micros), self._call_amount)
        for column, text in ((14, row.currency), (15, row.rate_name), (16, row.call_id)):
            if text:
                sheet.write_string(line, column, text)


def _units(micros: int) -> float:
    """What a cell holds: spreadsheets know no other numbers; 15 digits survive."""
    return micros / MICROS

"""Any list as CSV and as Excel: columns with a kind, rows of plain values."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
import xlsxwriter

from billing.values import MICROS, decimal_string
from billing.web.export import BYTE_ORDER_MARK, unformula
from billing.web.i18n import gettext, language

EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_ROWS = 1_048_575  # of a sheet, beneath its head
Kind = Literal["text", "time", "amount", "exact", "count"]
FORMATS = {
    "time": "yyyy-mm-dd hh:mm:ss",
    "amount": "#,##0.00",
    "exact": "#,##0.0000",
    "count": "#,##0",
}


class Column(msgspec.Struct, frozen=True):
    """A head, and what its cells are: UTC datetimes, micro-units (amount, exact), numbers, text."""

    head: str
    kind: Kind = "text"
    width: int = 16


class Sheet(msgspec.Struct, frozen=True):
    title: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Any]]


def attachment(name: str) -> dict[str, str]:
    """The header by which a browser saves an answer under a name."""
    safe = "".join(
        each if each.isascii() and (each.isalnum() or each in "._") else "-" for each in name
    )
    return {"content-disposition": f'attachment; filename="{safe}"'}


class CsvTable:
    """Lines of text for the reader's own spreadsheet program: its separator, its decimal mark."""

    def __init__(self, columns: Sequence[Column], zone: ZoneInfo) -> None:
        self._columns = columns
        self._zone = zone
        self._comma = language() == "es"
        self._buffer = io.StringIO()
        self._csv = csv.writer(self._buffer, delimiter=";" if self._comma else ",")

    def head(self) -> str:
        """The first line."""
        self._csv.writerow([_head(column, self._zone) for column in self._columns])
        return BYTE_ORDER_MARK + self._taken()

    def rows(self, rows: Iterable[Sequence[Any]]) -> str:
        """The lines of some rows."""
        for row in rows:
            cells = zip(self._columns, row, strict=True)
            self._csv.writerow([self._cell(column.kind, value) for column, value in cells])
        return self._taken()

    def _cell(self, kind: Kind, value: Any) -> object:
        if value is None:
            return ""
        if kind == "time":
            return value.astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S")
        if kind in ("amount", "exact"):
            text = decimal_string(value)
            return text.replace(".", ",") if self._comma else text
        return unformula(value) if isinstance(value, str) else value

    def _taken(self) -> str:
        text = self._buffer.getvalue()
        self._buffer.seek(0)
        self._buffer.truncate()
        return text


def workbook(sheets: Sequence[Sheet], facts: Sequence[tuple[str, str]], zone: ZoneInfo) -> bytes:
    """A workbook with these sheets and one that tells how they came about. Blocks."""
    out = io.BytesIO()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(out, options)
    bold = book.add_format({"bold": True, "bottom": 1})
    formats = {kind: book.add_format({"num_format": text}) for kind, text in FORMATS.items()}
    for sheet in sheets:
        _Writer(book.add_worksheet(sheet.title[:31]), zone, bold, formats).write(sheet)
    about = book.add_worksheet(gettext("About"))
    about.set_column(0, 1, 32)
    for line, (name, value) in enumerate([*facts, (gettext("Time zone"), zone.key)]):
        about.write_string(line, 0, name, bold)
        about.write_string(line, 1, value)
    book.close()
    return out.getvalue()


class _Writer(msgspec.Struct, frozen=True):
    """Writes one sheet."""

    page: Any
    zone: ZoneInfo
    bold: Any
    formats: dict[str, Any]

    def write(self, sheet: Sheet) -> None:
        """The head, the rows, a filter over both."""
        page = self.page
        page.freeze_panes(1, 0)
        for place, column in enumerate(sheet.columns):
            page.set_column(place, place, column.width)
        for place, column in enumerate(sheet.columns):
            page.write_string(0, place, _head(column, self.zone), self.bold)
        line = 0
        for line, row in enumerate(islice(sheet.rows, MOST_ROWS), 1):
            for place, (column, value) in enumerate(zip(sheet.columns, row, strict=True)):
                self._cell(line, place, column.kind, value)
        page.autofilter(0, 0, max(line, 1), len(sheet.columns) - 1)

    def _cell(self, line: int, place: int, kind: Kind, value: Any) -> None:
        if value is None or value == "":
            return
        if kind == "time":
            local: datetime = value.astimezone(self.zone).replace(tzinfo=None)
            self.page.write_datetime(line, place, local, self.formats[kind])
        elif kind in ("amount", "exact"):
            self.page.write_number(line, place, value / MICROS, self.formats[kind])
        elif kind == "count":
            self.page.write_number(line, place, value, self.formats[kind])
        else:
            self.page.write_string(line, place, str(value))


def _head(column: Column, zone: ZoneInfo) -> str:
    return f"{column.head} ({zone.key})" if column.kind == "time" else column.head

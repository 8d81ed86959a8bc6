"""Any list as CSV and as Excel: columns with a kind, rows of plain values."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, BinaryIO
from unicodedata import combining, normalize
from zoneinfo import ZoneInfo

import msgspec

from billing.values import decimal_string
from billing.web.files.xlsx import Book, Column, Kind, head_of
from billing.web.kit import formats
from billing.web.kit.i18n import gettext, language

EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BYTE_ORDER_MARK = "\ufeff"  # Excel recognises UTF-8 by it
ROWS_AT_ONCE = 2_000  # rows of a file that are read and written in one batch
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
SIGNED_NUMBER = re.compile(r"[+-][0-9]+([.,][0-9]+)?")
Cells = Sequence[Any]  # of one row
Facts = Sequence[tuple[str, str]]  # what a file states about itself: names and values


class Sheet(msgspec.Struct, frozen=True):
    title: str
    columns: Sequence[Column]
    rows: Iterable[Cells]
    total: Cells = ()


def attachment(name: str) -> dict[str, str]:
    """Return the header that makes a browser save a response under a name."""
    bare = "".join(each for each in normalize("NFKD", name) if not combining(each))
    safe = "".join(
        each if each.isascii() and (each.isalnum() or each in "._") else "-" for each in bare
    )
    return {"content-disposition": f'attachment; filename="{safe}"'}


class CsvTable:
    """Makes CSV lines for the reader's spreadsheet program: its separator and decimal mark."""

    def __init__(self, columns: Sequence[Column], zone: ZoneInfo) -> None:
        self._columns = columns
        self._zone = zone
        self._comma = language() == "es"
        self._buffer = io.StringIO()
        self._csv = csv.writer(self._buffer, delimiter=";" if self._comma else ",")

    def head(self) -> str:
        """Return the first line."""
        self._csv.writerow([head_of(column, self._zone) for column in self._columns])
        return BYTE_ORDER_MARK + self._taken()

    def rows(self, rows: Iterable[Cells]) -> str:
        """Return the lines of some rows."""
        for row in rows:
            cells = zip(self._columns, row, strict=True)
            self._csv.writerow([self._cell(column.kind, value) for column, value in cells])
        return self._taken()

    def _cell(self, kind: Kind, value: Any) -> object:
        if value is None:
            return ""
        if kind == "time":
            return value.astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S")
        if kind in ("amount", "exact", "talk"):
            text = decimal_string(value * 1_000 if kind == "talk" else value)
            return text.replace(".", ",") if self._comma else text
        return unformula(value) if isinstance(value, str) else value

    def _taken(self) -> str:
        text = self._buffer.getvalue()
        self._buffer.seek(0)
        self._buffer.truncate()
        return text


def unformula(text: str) -> str:
    """Return the text in a form that spreadsheet programs don't read as a formula.

    A number with a sign, such as +34600123456, is no formula and stays unchanged.
    """
    is_formula = text.startswith(FORMULA_STARTS) and not SIGNED_NUMBER.fullmatch(text)
    return f"'{text}" if is_formula else text


class CsvFile:
    """Writes a list into a CSV file. Blocks."""

    def __init__(self, file: BinaryIO, zone: ZoneInfo, columns: Sequence[Column]) -> None:
        self._file = file
        self._table = CsvTable(columns, zone)
        file.write(self._table.head().encode())

    def add(self, rows: Iterable[Cells]) -> None:
        """Write some rows."""
        self._file.write(self._table.rows(rows).encode())

    def finish(self, facts: Facts) -> None:
        """Do nothing: a CSV file has no facts."""


def write_csv(
    file: BinaryIO, columns: Sequence[Column], rows: Iterable[Cells], zone: ZoneInfo
) -> None:
    """Write a list into a CSV file. Blocks."""
    table, left = CsvFile(file, zone, columns), iter(rows)
    while some := list(islice(left, ROWS_AT_ONCE)):
        table.add(some)


def write_workbook(file: Any, sheets: Sequence[Sheet], facts: Facts, zone: ZoneInfo) -> None:
    """Write these sheets, and one with facts about them, to a file. Blocks."""
    book = Book(file, zone)
    for sheet in sheets:
        book.sheet(sheet.title, sheet.columns)
        rows = iter(sheet.rows)
        while some := list(islice(rows, ROWS_AT_ONCE)):
            book.rows(some)
        if sheet.total:
            book.total(sheet.total)
    about(book, [*facts, (gettext("Time zone"), zone.key)])
    book.close()


def about(book: Book, facts: Facts) -> None:
    """Write the sheet with the facts about a workbook, and when it was made."""
    made = formats.moment(datetime.now(UTC), "y-MM-dd HH:mm", book.zone)
    book.sheet(gettext("About"), [Column(gettext("About"), width=32), Column("", width=48)])
    book.rows([*facts, (gettext("Created on"), made)])

"""Parses a spreadsheet, Excel or text. Only the process of its own does (`sheets/reading.py`)."""

from collections.abc import Iterator
from typing import BinaryIO

from billing.sheets.row import MOST_COLUMNS, Row
from billing.sheets.texts import text_rows
from billing.values import Refused

MOST_CHARACTERS = 30_000_000  # of all cells
HEAD_BYTES = 8
ZIP, OLE, PDF = b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF"
EMPTY_ZIP = b"PK\x05\x06"


def parse_sheet(file: BinaryIO, file_name: str, most_rows: int) -> Iterator[Row]:
    """Yield the non-empty rows of an .xlsx (its first sheet) or of a text with separators.

    `file` can seek. Cells are texts as a person would type them: 0.1, 34600123456, 2026-03-01.
    Refused if the file is not a spreadsheet, damaged or empty, has too many rows or too much text,
    and for a formula.
    """
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if head.startswith(OLE):
        raise Refused(
            "%(name)s is an old or a protected Excel file. Save it as .xlsx without a password.",
            name=file_name,
        )
    if head.startswith((PDF, EMPTY_ZIP)) or head.lstrip().startswith(b"<"):
        raise Refused("%(name)s is not a spreadsheet. Send .xlsx or .csv.", name=file_name)
    count = 0
    for row in _bounded(_rows(file, file_name, head), most_rows):
        count += 1
        yield row
    if not count:
        raise Refused("%(name)s is empty.", name=file_name)


def _rows(file: BinaryIO, file_name: str, head: bytes) -> Iterator[Row]:
    if not head.startswith(ZIP):
        return text_rows(file, file_name)
    from billing.sheets.workbooks import workbook_rows  # noqa: PLC0415 -- slow, texts don't need it

    return workbook_rows(file, file_name)


def _bounded(rows: Iterator[Row], most_rows: int) -> Iterator[Row]:
    count = size = 0
    for row in rows:
        if not any(row.cells):
            continue
        count += 1
        size += sum(map(len, row.cells))
        if count > most_rows:
            raise Refused(
                "There are more than %(most)s rows. Split the sheet into several.", most=most_rows
            )
        if len(row.cells) > MOST_COLUMNS:
            raise Refused(
                "Row %(row)s has more than %(most)s columns.", row=row.number, most=MOST_COLUMNS
            )
        if size > MOST_CHARACTERS:
            raise Refused("The sheet holds too much text. Split it into several.")
        yield row

"""Reads uploaded spreadsheets, Excel or text, as rows of cell texts. Input is not trusted."""

import io
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from billing.sheets.headers import Column, match_headers, plain_words
from billing.sheets.row import MOST_COLUMNS, Row
from billing.sheets.texts import text_rows
from billing.sheets.workbooks import workbook_rows
from billing.values import Refused

__all__ = ["MOST_BYTES", "Column", "Row", "match_headers", "plain_words", "read_sheet"]

MOST_BYTES = 25_000_000
MOST_ROWS = 300_000
HEAD_BYTES = 8
ZIP, OLE, PDF = b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF"
EMPTY_ZIP = b"PK\x05\x06"


def read_sheet(
    source: bytes | Path, file_name: str, *, most_rows: int = MOST_ROWS
) -> Iterator[Row]:
    """Yield the non-empty rows of an .xlsx (its first sheet) or of a text with separators.

    Cells are texts as a person would type them: 0.1, 34600123456, 2026-03-01. Refused immediately
    if the file is not a spreadsheet, empty or too large; a formula is refused when its row is
    reached.
    """
    size = source.stat().st_size if isinstance(source, Path) else len(source)
    if size > MOST_BYTES:
        raise Refused(
            "%(name)s has %(size)s MB. The limit is %(most)s MB; split it into several files.",
            name=file_name,
            size=size // 1_000_000,
            most=MOST_BYTES // 1_000_000,
        )
    file = source.open("rb") if isinstance(source, Path) else io.BytesIO(source)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if head.startswith(OLE):
        raise Refused(
            "%(name)s is an old or a protected Excel file. Save it as .xlsx without a password.",
            name=file_name,
        )
    if head.startswith((PDF, EMPTY_ZIP)) or head.lstrip().startswith(b"<"):
        raise Refused("%(name)s is not a spreadsheet. Send .xlsx or .csv.", name=file_name)
    rows = workbook_rows(file, file_name) if head.startswith(ZIP) else text_rows(file, file_name)
    bounded = _bounded(rows, most_rows)
    first = next(bounded, None)
    if first is None:
        raise Refused("%(name)s is empty.", name=file_name)
    return chain((first,), bounded)


def _bounded(rows: Iterator[Row], most_rows: int) -> Iterator[Row]:
    count = 0
    for row in rows:
        if not any(row.cells):
            continue
        count += 1
        if count > most_rows:
            raise Refused(
                "There are more than %(most)s rows. Split the sheet into several.", most=most_rows
            )
        if len(row.cells) > MOST_COLUMNS:
            raise Refused(
                "Row %(row)s has more than %(most)s columns.", row=row.number, most=MOST_COLUMNS
            )
        yield row

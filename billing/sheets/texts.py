"""Reads rows of a text with separators; detects its encoding and separator."""

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

from billing.sheets.row import MOST_COLUMNS, Row
from billing.values import Refused

CHUNK = 1 << 20
SAMPLE = 1 << 16
SAMPLE_ROWS = 50
LONGEST_LINE = 1_000_000  # characters
SEPARATORS = (";", "\t", ",", "|")
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def text_rows(file: BinaryIO, file_name: str) -> Iterator[Row]:
    """Yield the rows. Refused immediately if the bytes are not text."""
    encoding = _encoding(file, file_name)
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    try:
        sample = text.read(SAMPLE)
    except UnicodeError as error:  # UTF-16 cut in the middle of a character
        raise Refused("%(name)s is damaged.", name=file_name) from error
    separator = _separator(sample)
    text.seek(0)
    return _read(text, separator)


def _read(text: io.TextIOWrapper, separator: str) -> Iterator[Row]:
    number = 0
    try:
        for number, cells in enumerate(csv.reader(_lines(text), delimiter=separator), 1):
            if len(cells) > MOST_COLUMNS and any(cells[MOST_COLUMNS:]):
                raise Refused(
                    "Row %(row)s has more than %(most)s columns.", row=number, most=MOST_COLUMNS
                )
            if number == 1 and len(cells) <= 2 and cells and cells[0].startswith("sep="):  # noqa: PLR2004 -- "sep=;" gives two cells
                continue
            yield Row(number, [_bare(cell) for cell in cells[:MOST_COLUMNS]])
    except (csv.Error, UnicodeError) as error:
        raise Refused(
            "Row %(row)s can't be read. Is a quotation mark missing?", row=number + 1
        ) from error


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    for number, line in enumerate(iter(partial(text.readline, LONGEST_LINE), ""), 1):
        if len(line) == LONGEST_LINE:
            raise Refused("Line %(line)s is too long for a spreadsheet.", line=number)
        yield line


def _bare(cell: str) -> str:
    """Return a cell without the mark that prevents spreadsheet programs from running it."""
    text = cell.replace("\0", "").strip()
    return text[1:] if text.startswith(("'=", "'+", "'-", "'@")) else text


def _encoding(file: BinaryIO, file_name: str) -> str:
    """Detect the encoding; reads the whole file in chunks."""
    head = file.read(SAMPLE)
    for mark, encoding in MARKS:
        if head.startswith(mark):
            return encoding
    if head[1::2].count(0) > len(head) // 4:
        return "utf-16-le"
    if head[::2].count(0) > len(head) // 4:
        return "utf-16-be"
    if b"\0" in head:
        raise Refused("%(name)s is not a spreadsheet. Send .xlsx or .csv.", name=file_name)
    return next((name for name in ("utf-8", "cp1252") if _is_in(file, name)), "latin-1")


def _is_in(file: BinaryIO, encoding: str) -> bool:
    """Whether the whole file is valid in this encoding; reads it in chunks."""
    decoder = codecs.getincrementaldecoder(encoding)()
    file.seek(0)
    try:
        while piece := file.read(CHUNK):
            decoder.decode(piece)
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True


def _separator(sample: str) -> str:
    """Return the separator that gives most rows the same number of cells; on a tie, more cells."""
    told = sample.removeprefix("sep=")[:1]
    if sample.startswith("sep=") and told.isascii() and not told.isalnum() and told not in '"\r\n ':
        return told

    def fitness(separator: str) -> tuple[int, int]:
        widths = Counter[int]()
        try:
            for row, _ in zip(
                csv.reader(io.StringIO(sample), delimiter=separator),
                range(SAMPLE_ROWS),
                strict=False,
            ):
                widths[len(row)] += 1
        except csv.Error:
            return (0, 0)
        several = [(count, width) for width, count in widths.items() if width > 1]
        return max(several, default=(0, 0))

    best = max(SEPARATORS, key=fitness)
    return best if fitness(best)[0] else ","

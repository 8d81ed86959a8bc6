"""Reads rows of an Excel workbook with an event parser: no tree, no entities, no formulas.

Why this reader: docs/decisions/0142. What its file may take is bounded here part by part, and as
a whole by its process.
"""

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import BinaryIO
from xml.parsers import expat

import msgspec
from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format

from billing.sheets.row import MOST_COLUMNS, Row
from billing.values import Refused

MOST_UNZIPPED = 400_000_000
MOST_TIMES = 200  # largest ratio of size to compressed size; honest sheets stay under 50
UNSUSPECTED = 20_000_000  # bytes; the ratio of smaller files is ignored
MOST_OF_SMALL_PARTS = 20_000_000
MOST_CHARACTERS = 60_000_000  # of the texts that cells share
LONGEST_CELL = 32_767  # Excel's own bound
LONGEST_FORMAT = 255  # Excel's own bound for the code of a number format
LONGEST_NUMBER = 100  # characters; longer ones are texts
LONGEST_COLUMN = 3  # letters of the last column
LONGEST_ZEROS = 30  # digits that a number format fills up to
MOST_DAYS_DIGITS = 8  # before the point, of a date
MOST_TEXTS = 3_000_000  # that cells share
MOST_ROW_NUMBER = 10_000_000  # ten times that of Excel's last row
MOST_PIECES = 100  # that a cell comes in
CHUNK = 1 << 16
SIGNIFICANT = 15  # digits of a number that spreadsheet programs keep
LETTERS, DIGITS = 26, "0123456789"
FARTHEST = 40  # digits before or after the decimal point
PLAIN = re.compile(r"(?:0|[1-9][0-9]*)\.[0-9]*[1-9]")  # true for nearly all numbers with a point
EPOCHS = {False: datetime(1899, 12, 30), True: datetime(1904, 1, 1)}  # noqa: DTZ001 -- local time
Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]


def workbook_rows(file: BinaryIO, file_name: str) -> Iterator[Row]:
    """Yield the rows of the first sheet. Refused immediately for damaged files and zip bombs."""
    try:
        archive = zipfile.ZipFile(file)
        parts = {info.filename: info for info in archive.infolist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise Refused("%(name)s is damaged.", name=file_name) from error
    if "xl/workbook.xml" not in parts:
        raise Refused("%(name)s is not a spreadsheet. Send .xlsx or .csv.", name=file_name)
    unzipped = sum(info.file_size for info in parts.values())
    packed = sum(info.compress_size for info in parts.values())
    if unzipped > MOST_UNZIPPED or (unzipped > UNSUSPECTED and unzipped > packed * MOST_TIMES):
        raise Refused(
            "%(name)s expands to far more than its size and was not read.", name=file_name
        )
    return _rows(Package(archive, parts, file_name))


class Package:
    """The parts of a workbook, files in a zip archive."""

    def __init__(
        self, archive: zipfile.ZipFile, parts: dict[str, zipfile.ZipInfo], name: str
    ) -> None:
        self._archive, self._parts, self._name = archive, parts, name

    def has(self, part: str) -> bool:
        """Whether there is such a part."""
        return part in self._parts

    def walk(
        self, part: str, start: Start, end: End, text: Callable[[str], None]
    ) -> Iterator[None]:
        """Pass the elements of a part to the handlers; yields after each chunk.

        Refused if damaged.
        """
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.CharacterDataHandler = text

        def begin(name: str, given: dict[str, str]) -> None:
            # The root shows whether names have prefixes; nearly none do, and one call less per
            # element saves a fifth of the time.
            if ":" in name:
                parser.StartElementHandler = lambda name, given: start(_local(name), given)
                parser.EndElementHandler = lambda name: end(_local(name))
            else:
                parser.StartElementHandler, parser.EndElementHandler = start, end
            start(_local(name), given)

        parser.StartElementHandler = begin
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        try:
            with self._archive.open(self._parts[part]) as stream:
                while piece := stream.read(CHUNK):
                    parser.Parse(piece, False)
                    yield
                parser.Parse(b"", True)
                yield
        except (
            expat.ExpatError,
            zipfile.BadZipFile,
            zlib.error,
            LookupError,  # an unknown encoding
            EOFError,
            RuntimeError,
            NotImplementedError,
            ValueError,
        ) as error:
            raise Refused("%(name)s is damaged.", name=self._name) from error

    def gather(self, part: str, start: Start) -> None:
        """Pass the elements of a small part to `start`."""
        if not self.has(part):
            return
        if self._parts[part].file_size > MOST_OF_SMALL_PARTS:
            raise Refused(
                "%(name)s expands to far more than its size and was not read.", name=self._name
            )
        for _ in self.walk(part, start, lambda _: None, lambda _: None):
            pass

    def _refuse_doctype(self, *_: object) -> None:
        raise Refused("%(name)s is not a spreadsheet. Send .xlsx or .csv.", name=self._name)


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _rows(package: Package) -> Iterator[Row]:
    sheet, epoch = _first_sheet(package)
    reader = SheetReader(_shared_texts(package), _number_styles(package), epoch)
    for _ in package.walk(sheet, reader.start, reader.end, reader.text):
        ready, reader.ready = reader.ready, []
        yield from ready


def _first_sheet(package: Package) -> tuple[str, datetime]:
    """Return the part of the first visible sheet, and the day that its dates count from."""
    sheets: list[str] = []
    since_1904: list[bool] = []
    targets: dict[str, str] = {}

    def in_book(name: str, given: dict[str, str]) -> None:
        if name == "sheet" and given.get("state", "visible") == "visible":
            sheets.append(next((id_ for key, id_ in given.items() if _local(key) == "id"), ""))
        elif name == "workbookPr":
            since_1904.append(given.get("date1904") in ("1", "true"))

    def in_relations(name: str, given: dict[str, str]) -> None:
        if name == "Relationship":
            targets[given.get("Id", "")] = given.get("Target", "")

    package.gather("xl/workbook.xml", in_book)
    package.gather("xl/_rels/workbook.xml.rels", in_relations)
    target = targets.get(sheets[0] if sheets else "", "worksheets/sheet1.xml")
    part = target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
    if not package.has(part):
        raise Refused("The workbook has no sheet.")
    return part, EPOCHS[any(since_1904)]


def _shared_texts(package: Package) -> list[str]:
    reader = TextsReader()
    if package.has("xl/sharedStrings.xml"):
        for _ in package.walk("xl/sharedStrings.xml", reader.start, reader.end, reader.text):
            pass
    return reader.texts


class TextsReader:
    """Collects the texts that cells refer to, without phonetic readings of Japanese words."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._pieces: list[str] = []
        self._inside = {"t": False, "rPh": False}
        self._size = 0

    def start(self, name: str, _: dict[str, str]) -> None:
        """Handle the start of an element."""
        if name in self._inside:
            self._inside[name] = True

    def text(self, piece: str) -> None:
        """Handle text inside an element."""
        if self._inside["t"] and not self._inside["rPh"]:
            self._size += len(piece)
            self._pieces.append(piece)

    def end(self, name: str) -> None:
        """Handle the end of an element."""
        if name in self._inside:
            self._inside[name] = False
        elif name == "si":
            self.texts.append("".join(self._pieces)[:LONGEST_CELL].strip())
            self._pieces.clear()
            if self._size > MOST_CHARACTERS or len(self.texts) > MOST_TEXTS:
                raise Refused("The workbook holds too much text.")


class NumberStyles(msgspec.Struct, frozen=True):
    """Styles by their index: those of dates and times, and the digits of those like "0000"."""

    dates: set[str]
    zeros: dict[str, int]


def _number_styles(package: Package) -> NumberStyles:
    codes: dict[str, str] = {str(number): code for number, code in BUILTIN_FORMATS.items()}
    formats: list[str] = []
    inside = [False]

    def start(name: str, given: dict[str, str]) -> None:
        if name == "numFmt":
            codes[given.get("numFmtId", "")] = given.get("formatCode", "")
        elif name in ("cellStyleXfs", "cellXfs", "cellStyles"):
            inside[0] = name == "cellXfs"
        elif name == "xf" and inside[0]:
            formats.append(given.get("numFmtId", "0"))

    package.gather("xl/styles.xml", start)
    dates = {
        number
        for number, code in codes.items()
        if len(code) <= LONGEST_FORMAT and is_date_format(code)  # type: ignore[no-untyped-call]
    }
    zeros = {
        number: len(code)
        for number, code in codes.items()
        if 1 < len(code) <= LONGEST_ZEROS and not code.strip("0")
    }
    return NumberStyles(
        dates={str(place) for place, number in enumerate(formats) if number in dates},
        zeros={
            str(place): zeros[number] for place, number in enumerate(formats) if number in zeros
        },
    )


class SheetReader:
    """Handles the elements of a sheet; finished rows are in `ready`."""

    def __init__(self, shared: list[str], styles: NumberStyles, epoch: datetime) -> None:
        self._shared, self._epoch = shared, epoch
        self._dates, self._zeros = styles.dates, styles.zeros
        self.ready: list[Row] = []
        self._number = 0
        self._cells: list[str] = []
        self._column = -1
        self._type = self._style = ""
        self._pieces: list[str] = []
        self._inside = False

    def start(self, name: str, given: dict[str, str]) -> None:
        """Handle the start of an element."""
        if name == "c":
            reference = given.get("r")
            self._column = _column(reference.rstrip(DIGITS)) if reference else self._column + 1
            if not 0 <= self._column < MOST_COLUMNS:
                raise Refused(
                    "Row %(row)s has more than %(most)s columns.",
                    row=self._number,
                    most=MOST_COLUMNS,
                )
            self._type, self._style = given.get("t", "n"), given.get("s", "")
        elif name in ("v", "t"):
            self._inside = True
        elif name == "row":
            self._number = int(given["r"]) if given.get("r", "").isdigit() else self._number + 1
            self._column = -1
            if self._number > MOST_ROW_NUMBER:
                raise ValueError(self._number)
        elif name == "f":
            raise Refused(
                "Row %(row)s, column %(column)s holds a formula. Save the sheet with values only.",
                row=self._number,
                column=self._column + 1,
            )

    def text(self, piece: str) -> None:
        """Handle text inside an element."""
        if self._inside:
            self._pieces.append(piece)
            if len(self._pieces) > MOST_PIECES:
                raise Refused("The workbook holds too much text.")

    def end(self, name: str) -> None:
        """Handle the end of an element."""
        if name in ("v", "t"):
            self._inside = False
        elif name == "c":
            if self._pieces:
                self._put("".join(self._pieces))
                self._pieces.clear()
        elif name == "row" and self._cells:
            self.ready.append(Row(self._number, self._cells))
            self._cells = []

    def _put(self, value: str) -> None:
        if self._type == "s":
            place = int(value)
            text = self._shared[place] if 0 <= place < len(self._shared) else ""
        elif self._type == "n":
            text = date_text(value, self._epoch) if self._style in self._dates else ""
            text = text or number_text(value)
            if self._style in self._zeros and text.isdigit():
                text = text.zfill(self._zeros[self._style])
        elif self._type == "b":
            text = "TRUE" if value.strip() == "1" else "FALSE"
        else:
            text = value[:LONGEST_CELL].strip()
        if len(self._cells) < self._column:
            self._cells.extend([""] * (self._column - len(self._cells)))
        if self._column == len(self._cells):
            self._cells.append(text)
        else:
            self._cells[self._column] = text


@lru_cache(1_000)
def _column(letters: str) -> int:
    """The column of the letters of a reference, from 0; MOST_COLUMNS where there is none such."""
    if len(letters) > LONGEST_COLUMN or not letters.isascii() or not letters.isupper():
        return MOST_COLUMNS
    found = 0
    for letter in letters:
        found = found * LETTERS + ord(letter) - ord("A") + 1
    return found - 1


@lru_cache(20_000)
def number_text(value: str) -> str:
    """Return a number as a person types it: no exponent, no binary noise, no trailing zeros."""
    if len(value) <= SIGNIFICANT and (value.isdigit() or PLAIN.fullmatch(value)):
        return value
    if len(value) > LONGEST_NUMBER:
        return value[:LONGEST_CELL].strip()
    try:
        number = Decimal(value.strip())
        if len(number.as_tuple().digits) > SIGNIFICANT:
            number = Decimal(f"{float(number):.{SIGNIFICANT}g}")
    except (InvalidOperation, OverflowError):
        return value.strip()
    if not number.is_finite() or abs(number.adjusted()) > FARTHEST:
        return value.strip()
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@lru_cache(20_000)
def date_text(value: str, epoch: datetime) -> str:
    """Return the date, time or both that a number means; "" if it means none."""
    try:
        days = Decimal(value.strip()) if len(value) <= LONGEST_NUMBER else Decimal("NaN")
        if not days.is_finite() or days.adjusted() >= MOST_DAYS_DIGITS:
            return ""
        moment = epoch + timedelta(seconds=int((days * 86_400).to_integral_value()))
    except (InvalidOperation, OverflowError, ValueError):
        return ""
    if 0 <= days < 1:
        return f"{moment:%H:%M:%S}"
    return f"{moment:%Y-%m-%d}" if days == int(days) else f"{moment:%Y-%m-%d %H:%M:%S}"

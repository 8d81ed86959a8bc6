"""Uploaded spreadsheets are read as the texts a person typed; malicious ones are refused."""

import io
import zipfile
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from billing.sheets import Column, Row, SheetReading, match_headers
from billing.sheets.parsing import parse_sheet
from billing.values import Refused

NAMES = ("xl/workbook.xml", "xl/worksheets/sheet1.xml")
BOOK = (
    '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheets>'
    '<sheet name="a" sheetId="1"/></sheets></workbook>'
)


def workbook(*rows: Sequence[Any]) -> bytes:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"default_date_format": "yyyy-mm-dd hh:mm"})
    sheet = book.add_worksheet()
    for place, row in enumerate(rows):
        sheet.write_row(place, 0, row)
    book.close()
    return file.getvalue()


def raw_workbook(sheet: str, **others: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {**dict(zip(NAMES, (BOOK, sheet), strict=True)), **others}.items():
            archive.writestr(name, text)
    return file.getvalue()


def rows_of(content: bytes, name: str = "deck.csv") -> list[Row]:
    return list(parse_sheet(io.BytesIO(content), name, 300_000))


def cells(content: bytes, name: str = "deck.csv") -> list[list[str]]:
    return [row.cells for row in rows_of(content, name)]


def test_numbers_dates_and_texts_of_a_workbook_are_read_as_typed() -> None:
    content = workbook(
        ["Prefijo", 0.1, 34600123456, 0.00012345678, 1e15, True],
        [date(2026, 3, 1), datetime(2026, 3, 1, 10, 30), 0.1 + 0.2, 5.0, -2, "  ñandú "],  # noqa: DTZ001
    )
    assert cells(content, "a.xlsx") == [
        ["Prefijo", "0.1", "34600123456", "0.00012345678", "1000000000000000", "TRUE"],
        ["2026-03-01", "2026-03-01 10:30:00", "0.3", "5", "-2", "ñandú"],
    ]


def test_rows_keep_the_numbers_of_the_spreadsheet_program_and_empty_cells_their_place() -> None:
    content = workbook(["a"], [], [None, None, "c"])
    assert [(row.number, row.cells) for row in rows_of(content, "a.xlsx")] == [
        (1, ["a"]),
        (3, ["", "", "c"]),
    ]
    text = [(row.number, row.cells) for row in rows_of(b"a;b\n\n;c\n", "a.csv")]
    assert text == [(1, ["a", "b"]), (3, ["", "c"])]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
def test_encoding_and_separator_of_a_text_are_detected(encoding: str, separator: str) -> None:
    rows = [["Destino", "Prefijo", "Precio"], ["España móvil", "346", "0.01"], ["Ñuñoa", "1", "2"]]
    text = "\r\n".join(separator.join(row) for row in rows)
    assert cells(text.encode(encoding)) == rows


def test_decimal_commas_and_lists_within_cells_are_not_separators() -> None:
    text = 'Destino;Prefijos;Precio\nChile;"56, 562";0,0125\nPerú;51, 511;0,02\n'
    assert cells(text.encode()) == [
        ["Destino", "Prefijos", "Precio"],
        ["Chile", "56, 562", "0,0125"],
        ["Perú", "51, 511", "0,02"],
    ]


def test_a_quoted_line_break_and_the_mark_against_formulas_are_parsed() -> None:
    assert cells(b'a,"one\ntwo"\n\'+34,x\n') == [["a", "one\ntwo"], ["+34", "x"]]


def test_a_formula_is_refused_with_its_cell() -> None:
    with pytest.raises(Refused, match="Row 2, column 2 holds a formula"):
        cells(workbook(["a", "b"], ["c", "=1+1"]))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n\n;;\n", "is empty"),
        (b"%PDF-1.7 ...", "not a spreadsheet"),
        (b"<html><table>", "not a spreadsheet"),
        (b"a\0b\x01\x02\x03,,\n\n" * 9, "not a spreadsheet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old", "old or a protected"),
        (b"PK\x03\x04 but no more", "damaged"),
        (b";" * 3_000_000, "Line 1 is too long"),
        (b'1;2\n"\n";' * 100 + b"1;" * 200 + b"\n", "Row 101 has more than 200 columns"),
        (b'a,"b\n' + b"x" * 200_000, "quotation mark"),
        (raw_workbook("<worksheet><sheetData><row>"), "damaged"),
        (raw_workbook("<!DOCTYPE x [<!ENTITY a 'b'>]><worksheet>&a;</worksheet>"), "not a spread"),
        (raw_workbook("<row><c r='ZZZ1'><v>1</v></c></row>"), "more than 200 columns"),
        (raw_workbook("<row r='10000001'><c><v>1</v></c></row>"), "damaged"),
        (raw_workbook(f"<row r='{'9' * 5_000}'><c><v>1</v></c></row>"), "damaged"),
        (raw_workbook("<?xml version='1.0' encoding='UTF-5690'?><s/>"), "damaged"),
        (raw_workbook("<row><c t='s'><v>²</v></c></row>"), "damaged"),
        (raw_workbook("<a/>" * 30_000_000), "far more than its size"),
        (b"a;b\n".decode().encode("utf-16") + b"\x00\xd8", "damaged"),
        (b"a;b\n".decode().encode("utf-16") * 30_000 + b"\x00\xd8" * 40_000, "can't be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_invalid_and_malicious_files_are_refused(content: bytes, said: str) -> None:
    with pytest.raises(Refused, match=said):
        cells(content)


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "deck.csv"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(Refused, match="100 MB"):
        SheetReading(path, path.name)


def test_too_many_rows_are_refused() -> None:
    rows = parse_sheet(io.BytesIO(b"a\n" * 11), "a.csv", 10)
    with pytest.raises(Refused, match="more than 10 rows"):
        list(rows)


def test_a_number_format_of_zeros_fills_numbers_up() -> None:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file)
    sheet, zeros = book.add_worksheet(), book.add_format({"num_format": "0000"})
    for column, value in enumerate((12, 0, 12_345, 1.5, -7)):
        sheet.write_number(0, column, value, zeros)
    sheet.write_number(0, 5, 12, book.add_format({"num_format": "0"}))
    book.close()
    assert cells(file.getvalue()) == [["0012", "0000", "12345", "1.5", "-7", "12"]]


def test_cells_without_references_keep_their_places_also_behind_empty_ones() -> None:
    content = raw_workbook(
        "<s><row><c/><c><v>2</v></c><c/><c><v>4</v></c></row><row><c><v>1</v></c></row>"
        "<row r='7'><c r='B7'/><c><v>3</v></c></row></s>"
    )
    assert [(row.number, row.cells) for row in rows_of(content)] == [
        (1, ["", "2", "", "4"]),
        (2, ["1"]),
        (7, ["", "", "3"]),
    ]


COLUMNS = (
    Column("prefix", ("prefix", "prefijo", "código", "code")),
    Column("name", ("destination", "destino", "nombre", "name")),
    Column("price", ("price", "precio", "rate", "tarifa")),
)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (["Destino", "PREFIJO", "Precio €/min"], {"name": 0, "prefix": 1, "price": 2}),
        (["CODIGO", "Código", "Rate (USD)"], {"prefix": 0, "price": 2}),
        (["Country code", "Destination name", "PRICE"], {"prefix": 0, "name": 1, "price": 2}),
        (["", "x"], {}),
    ],
)
def test_columns_are_recognised_by_spanish_and_english_names(
    header: list[str], expected: dict[str, int]
) -> None:
    assert match_headers(header, COLUMNS) == expected

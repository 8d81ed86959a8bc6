"""Excel files that we write are read back cell by cell, wherever cells are empty."""

import io
import re
import zipfile
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.reader.excel import load_workbook

from billing.sheets.parsing import parse_sheet
from billing.web.files.xlsx import Book, Column

WIDTH = 28  # further than the letters of one alphabet
CELLS = st.sampled_from(["", "0012", "a < b", "=1"])
ROWS = st.lists(st.lists(CELLS, min_size=WIDTH, max_size=WIDTH), min_size=1, max_size=5)


@settings(max_examples=15, deadline=None)
@given(ROWS, st.integers(1, 6))
def test_every_cell_has_its_reference_and_is_read_from_it(rows: list[list[str]], most: int) -> None:
    file = io.BytesIO()
    book = Book(file, ZoneInfo("UTC"), most_rows=most)
    heads = [f"h{place}" for place in range(WIDTH)]
    book.sheet("s", [Column(head, own=place % 2 == 0) for place, head in enumerate(heads)])
    book.rows(rows)
    book.total(["Total", *[""] * (WIDTH - 1)])
    book.close()
    with zipfile.ZipFile(file) as archive:
        text = archive.read("xl/worksheets/sheet1.xml").decode()
    assert len(re.findall(r'<c r="[A-Z]+[0-9]+" ', text)) == text.count("<c ")
    written = [heads, *rows[:most]]
    if len(rows) <= most:
        written.append(["Total", *[""] * (WIDTH - 1)])
    cells = (
        load_workbook(file)  # type: ignore[no-untyped-call]
        .worksheets[0]
        .iter_rows(max_row=len(written), max_col=WIDTH, values_only=True)
    )
    assert [[cell or "" for cell in row] for row in cells] == written
    file.seek(0)
    read = [row.cells + [""] * (WIDTH - len(row.cells)) for row in parse_sheet(file, "s.xlsx", 99)]
    assert read == [row for row in written if any(row)]

"""Uploaded spreadsheets, Excel or text, as rows of cell texts. Input is not trusted."""

from billing.sheets.headers import Column, match_headers, plain_words
from billing.sheets.reading import MOST_BYTES, MOST_ROWS, SheetReading
from billing.sheets.row import Row

__all__ = [
    "MOST_BYTES",
    "MOST_ROWS",
    "Column",
    "Row",
    "SheetReading",
    "match_headers",
    "plain_words",
]

"""A row of a spreadsheet."""

import msgspec

MOST_COLUMNS = 200


class Row(msgspec.Struct, gc=False, frozen=True):
    """Its number as a spreadsheet program shows it, from 1, and the texts of its cells."""

    number: int
    cells: list[str]

    def cell(self, column: int | None) -> str:
        """The text in a column; empty beyond the row's end, and for no column."""
        return self.cells[column] if column is not None and column < len(self.cells) else ""

"""A row of a spreadsheet."""

import msgspec

MOST_COLUMNS = 200


class Row(msgspec.Struct, gc=False, frozen=True, array_like=True):
    """Row number as shown by a spreadsheet program, from 1, and the texts of the cells."""

    number: int
    cells: list[str]

    def cell(self, column: int | None) -> str:
        """Return the text in a column; "" if the row is shorter, or for None."""
        return self.cells[column] if column is not None and column < len(self.cells) else ""

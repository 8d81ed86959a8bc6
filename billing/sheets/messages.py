"""What the process that reads a sheet is asked, and what it answers: a line of JSON for each."""

import msgspec

from billing.sheets.row import Row


class Question(msgspec.Struct, frozen=True):
    """How to read the file that is on standard input."""

    file_name: str
    most_rows: int


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Some rows; or why there are no more: all were sent, or a refusal as msgid and values."""

    rows: list[Row] = []
    is_last: bool = False
    refused: tuple[str, dict[str, str]] | None = None

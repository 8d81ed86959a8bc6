"""Calls as CSV and as Excel: what their columns are, and which of them are added up."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from billing.queries.calls import CallRow
from billing.web.files.tables import CsvTable
from billing.web.files.writer import ListWriter
from billing.web.files.xlsx import MOST_ROWS, Column
from billing.web.kit import words
from billing.web.kit.i18n import gettext, set_language

CHARGED = ("rated", "rerated")  # others are on the list, but nothing of them is charged


def call_columns() -> list[Column]:
    """The columns of a call."""
    return [
        Column(gettext("Date and time"), "time", 20),
        Column(gettext("Company"), width=28),
        Column(gettext("User account"), width=20),
        Column(gettext("Gateway account"), width=20),
        Column(gettext("Extension"), width=10),
        Column(gettext("Caller"), width=20),
        Column(gettext("Number"), width=20, own=True),
        Column(gettext("As dialled"), width=20, own=True),
        Column(gettext("Destination"), width=24),
        Column(gettext("Class"), width=14),
        Column(gettext("Direction"), width=14),
        Column(gettext("Device"), width=22),
        Column(gettext("Result"), width=14),
        Column(gettext("Status"), width=14),
        Column(gettext("Reason"), width=18),
        Column(gettext("Flags"), width=18),
        Column(gettext("Talk time"), "talk", 10, sum=True),
        Column(gettext("Billed time"), "duration", 10, sum=True),
        Column(gettext("Amount"), "exact", 12, sum=True),
        Column(gettext("Currency"), "currency", 9),
        Column(gettext("Rate"), width=20),
        Column(gettext("Call"), width=34, own=True),
    ]


class CallCells:
    """Makes the cells of calls; the words of their codes are looked up once."""

    def __init__(self) -> None:
        self._classes = dict(words.choices(words.CLASSES))
        self._directions = dict(words.choices(words.DIRECTIONS))
        self._results = dict(words.choices(words.RESULTS))
        self._statuses = dict(words.choices(words.STATUSES))
        self._reasons = dict(words.choices({**words.REASONS, **words.VOIDED}))
        self._flags = dict(words.choices(words.FLAGS))

    def of(self, row: CallRow) -> list[Any]:
        """The cells of one call."""
        return [
            row.started_at,
            row.company,
            row.user,
            row.gateway,
            row.extension,
            row.caller,
            row.number,
            row.dialled,
            row.area,
            self._classes.get(row.call_class, row.call_class),
            self._directions.get(row.direction, row.direction),
            row.device,
            self._results.get(row.result, row.result),
            self._statuses.get(row.status, row.status),
            self._reasons.get(row.reason, row.reason),
            ", ".join(self._flags.get(flag, flag) for flag in row.flags) if row.flags else "",
            row.talk_ms,
            row.billed_seconds,
            row.amount_micros,
            row.currency,
            row.rate_name,
            row.call_id,
        ]


class CsvWriter:
    """Lines of calls."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._table = CsvTable(call_columns(), zone)
        self._cells = CallCells()

    def head(self) -> str:
        """The first line."""
        return self._table.head()

    def rows(self, rows: list[CallRow]) -> str:
        """The lines of some calls."""
        return self._table.rows(self._cells.of(row) for row in rows)


class CallWriter(ListWriter):
    """An Excel file of calls."""

    def __init__(self, path: Path, zone: ZoneInfo, said: str, most_rows: int = MOST_ROWS) -> None:
        set_language(said)
        super().__init__(path, zone, said, gettext("Calls"), call_columns(), most_rows)
        self._cells = CallCells()

    def sum_title(self) -> str:
        """Suspended and voided calls are listed and not added up."""
        return gettext("Total of charged calls")

    def add(self, rows: Sequence[CallRow]) -> None:
        """Write some calls; only charged ones are added up."""
        cells = list(map(self._cells.of, rows))
        charged = [own for own, row in zip(cells, rows, strict=True) if row.status in CHARGED]
        self.write(cells, charged)

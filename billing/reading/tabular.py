"""Parses CSV line by line: layouts of Asterisk and FreeSWITCH, a header's, or the profile's."""

import csv
import re
from collections.abc import Iterator, Sequence

from billing.rating.cdr import CallRecord
from billing.reading import asterisk, named
from billing.reading.delivery import BLANK, Delivery, RecordText

# The template "example" of mod_cdr_csv.
_FREESWITCH = (
    "caller_id_name",
    "caller_id_number",
    "destination_number",
    "context",
    "start",
    "answer",
    "end",
    "duration",
    "billsec",
    "hangup_cause",
    "uuid",
    "bleg_uuid",
    "accountcode",
    "read_codec",
    "write_codec",
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_DELIMITERS = ",;\t|"
_FEWEST_NAMES = 3  # known column names that make a line a header


class Table:
    """A CSV file while it is being parsed; keeps the header."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._header: Sequence[str] = ()
        self._begun = False
        self._delimiter = ","

    def read_block(self, block: bytes) -> Iterator[CallRecord]:
        """Yield a record for each line that is neither blank nor a header."""
        for content in block.split(b"\n"):
            if not content.strip(BLANK.encode()):
                continue
            line = self._delivery.decode(content.removesuffix(b"\r"))
            if not self._begun:
                self._begin(line)
            row = _row(line.text, self._delimiter)
            if self._header and _names(row) == self._header:
                continue
            yield self._read(row, line)

    def _begin(self, line: RecordText) -> None:
        """Detect the delimiter from the first line, and the columns if it is a header."""
        self._begun = True
        rows = {each: _row(line.text, each) for each in _DELIMITERS}
        self._delimiter = max(_DELIMITERS, key=lambda each: len(rows[each]))
        for delimiter, row in rows.items():
            names = _names(row)
            if sum(name in named.KNOWN for name in names) >= _FEWEST_NAMES:
                self._delimiter, self._header = delimiter, names
                return
            if asterisk.layout_of(row):
                self._delimiter = delimiter
                return

    def _read(self, row: Sequence[str], line: RecordText) -> CallRecord:
        if not self._header and (layout := asterisk.layout_of(row)):
            fields = {name: value.strip() for name, value in zip(layout, row, strict=True)}
            cdr = asterisk.read(fields, self._delivery)
            return self._delivery.record(line, cdr, "asterisk")
        columns, row = self._columns(row, line)
        if not columns or len(row) > len(columns) or len(row) < _FEWEST_NAMES:
            return self._delivery.unreadable(line, "csv" if columns else "unknown")
        fields = {name: value.strip() for name, value in zip(columns, row, strict=False)}
        if asterisk.is_record(fields):
            return self._delivery.record(line, asterisk.read(fields, self._delivery), "asterisk")
        return self._delivery.record(line, named.read(fields, self._delivery), "csv")

    def _columns(self, row: Sequence[str], line: RecordText) -> tuple[Sequence[str], Sequence[str]]:
        """Return column names and the row, which is parsed again if it is FreeSWITCH's."""
        if self._header:
            return self._header, row
        escaped = _row(line.text, ",", escape=True)
        if len(escaped) == len(_FREESWITCH) and _UUID.fullmatch(escaped[10].strip()):
            return _FREESWITCH, escaped
        return _names(self._delivery.profile.columns), row


def _row(text: str, delimiter: str, *, escape: bool = False) -> Sequence[str]:
    """Split a line into cells; () if that fails. `escape`: quotes are escaped by a backslash."""
    try:
        if escape:
            rows = csv.reader([text], delimiter=delimiter, doublequote=False, escapechar="\\")
        else:
            rows = csv.reader([text], delimiter=delimiter)
        return next(rows, ())
    except csv.Error:
        return ()


def _names(row: Sequence[str]) -> Sequence[str]:
    return [re.sub(r"[\s-]+", "_", name.strip().lower()) for name in row]

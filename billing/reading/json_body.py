"""Splits JSON into records: lines, one object over several lines, or an array."""

from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec

from billing.rating.cdr import CallRecord
from billing.reading import json_repair, native, objects
from billing.reading.delivery import BLANK, Delivery
from billing.reading.unpack import MOST_LINES

_BLANK = BLANK.encode()
_array = msgspec.json.Decoder(Annotated[list[msgspec.Raw], msgspec.Meta(max_length=MOST_LINES)])


def is_lines(head: bytes) -> bool:
    """Whether a body that starts with `head` has a record per line, even if the first is broken."""
    first, _, rest = head.strip(_BLANK).partition(b"\n")
    if not rest:
        return False
    # Never true for one object over several lines:
    return rest.lstrip(_BLANK).startswith(b"{") or _is_complete(first)


def _is_complete(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return False
    return True


def read(body: bytes, delivery: Delivery) -> Iterable[CallRecord]:
    """Parse a body that starts with a brace or a bracket."""
    if body.lstrip(_BLANK).startswith(b"["):
        return _read_array(body, delivery)
    if is_lines(body):
        return native.read_block(body, delivery)
    line = delivery.decode(body.strip(_BLANK))
    if "\n" not in line.text or line.text.partition("\n")[0].strip(BLANK) == "{":
        return [native.read_line(line, delivery)]
    value, _ = json_repair.parse(line.text)
    if isinstance(value, dict):
        return [objects.read_object(value, line, delivery)]
    return native.read_block(body, delivery)


def _read_array(body: bytes, delivery: Delivery) -> Iterator[CallRecord]:
    try:
        elements = [bytes(each) for each in _array.decode(body)]
    except (ValueError, RecursionError):
        elements = list(_elements_of_broken(body))
    for each in elements:
        yield native.read_line(delivery.decode(each), delivery)


def _elements_of_broken(body: bytes) -> Iterator[bytes]:
    """Split an array that is not valid JSON: one element per line, or all in one element."""
    lines = [line.strip(_BLANK) for line in body.strip(_BLANK).split(b"\n")]
    if len(lines) == 1:
        yield lines[0]
        return
    for line in lines:
        element = line.removesuffix(b",").rstrip(_BLANK)
        if element not in (b"", b"[", b"]"):
            yield element

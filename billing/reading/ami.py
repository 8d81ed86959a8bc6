"""Parses Cdr events of Asterisk's manager interface (AMI)."""

import re
from collections.abc import Iterator

from billing.rating.cdr import CallRecord
from billing.reading import asterisk
from billing.reading.delivery import Delivery

EVENT = re.compile(rb"^Event: Cdr\r?$", re.MULTILINE | re.IGNORECASE)
_BLOCK_END = re.compile(rb"\r?\n[ \t]*\r?\n")


def read(body: bytes, delivery: Delivery) -> Iterator[CallRecord]:
    """Yield a record for each Cdr event; greetings and responses are skipped."""
    for block in _BLOCK_END.split(body):
        if not EVENT.search(block):
            continue
        line = delivery.decode(block.strip())
        pairs = (each.partition(":") for each in line.text.splitlines())
        fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
        yield delivery.record(line, asterisk.read(fields, delivery), "asterisk")

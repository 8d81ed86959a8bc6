"""Detects by field names which switch a JSON object or a form comes from."""

from collections.abc import Mapping
from typing import Any

from billing.rating.cdr import CallRecord
from billing.reading import asterisk, freeswitch, json_repair, kamailio, named
from billing.reading.delivery import Delivery, RecordText, repaired
from billing.reading.values import Fields, fields_of

_NATIVE = frozenset(("start", "duration_ms", "bill_ms"))


def read_line(line: RecordText, delivery: Delivery) -> CallRecord:
    """Parse one JSON text, repairing it if needed."""
    value, was_repaired = json_repair.parse(line.text)
    if not isinstance(value, dict):
        return delivery.unreadable(line)
    return read_object(value, repaired(line) if was_repaired else line, delivery)


def read_object(value: Mapping[Any, Any], line: RecordText, delivery: Delivery) -> CallRecord:
    """Parse a JSON object."""
    if freeswitch.is_record(value):
        return delivery.record(line, freeswitch.read_json(value, delivery), "freeswitch_json")
    return read_fields(fields_of(value), line, delivery)


def read_fields(fields: Fields, line: RecordText, delivery: Delivery) -> CallRecord:
    """Parse named fields from JSON or a form."""
    hint = delivery.profile.format
    if kamailio.is_record(fields):
        return delivery.record(line, kamailio.read(fields), "kamailio")
    if asterisk.is_record(fields):
        return delivery.record(line, asterisk.read(fields, delivery), "asterisk")
    if ("id" in fields or "dst" in fields) and not _NATIVE.isdisjoint(fields):
        return delivery.record(line, named.read(fields, delivery), "native")
    return delivery.unreadable(line, "native" if hint == "native" else "unknown")

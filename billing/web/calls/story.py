"""The contents of a call's page, collected from the events of its stream."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from xml.parsers.expat import ExpatError

import msgspec
from defusedxml import DefusedXmlException
from defusedxml.minidom import parseString

from billing.log.sealing import CALLS
from billing.log.store import Recorded
from billing.rating.cdr import Cdr
from billing.rating.context import Rating

LONGEST_PRETTY = 200_000  # characters; a longer record is shown as received
BASE64 = "base64"
STATUSES = {"CallVoided": "voided", "CallRerated": "rerated"}


class RawRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record as received, and the same with line breaks if it has a known format."""

    position: int
    source: str
    pretty: str
    exact: str
    encoding: str


class Story(msgspec.Struct, frozen=True, kw_only=True):
    call_id: str
    status: str  # rated, suspended, rerated, voided
    reason: str
    device_id: str
    filed_at: datetime  # start of the call; receipt of a record without a start
    cdr: Cdr
    rating: Rating
    note: str  # why a person wrote it off
    partner: str  # the call of another device that it is paired with
    charged: bool  # in that pair
    conflicts: int
    events: Sequence[Recorded]
    records: list[RawRecord]


def tell_story(call_id: str, events: Sequence[Recorded]) -> Story:
    """Collect the events of a call: the last rating applies, the first record was billed."""
    contents: list[Any] = [recorded.event for recorded in events]
    rated = [event for event in contents if hasattr(event, "rating")]
    first, last = rated[0], rated[-1]
    kinds = [kind_of(recorded) for recorded in events]
    # As in the call list: the last event with a rating says the status.
    status = STATUSES.get(type(last).__name__, str(last.rating.status))
    pairing: list[Any] = [None, *(event for event in contents if hasattr(event, "partner"))]
    linked = pairing[-1] if hasattr(pairing[-1], "charged") else None
    reason = last.reason if status == "voided" else last.rating.reason
    return Story(
        call_id=call_id,
        status=status,
        reason=reason,
        device_id=first.device_id,
        filed_at=first.filed_at,
        cdr=last.cdr,
        rating=last.rating,
        note=getattr(last, "note", ""),
        partner=linked.partner[len(CALLS) :] if linked else "",
        charged=linked is not None and linked.charged,
        conflicts=kinds.count("ConflictKept"),
        events=events,
        records=[_record(recorded) for recorded in events if getattr(recorded.event, "raw", "")],
    )


def kind_of(recorded: Recorded) -> str:
    """Return the name of an event without its version."""
    return recorded.topic.partition(".")[0]


def _record(recorded: Recorded) -> RawRecord:
    event: Any = recorded.event
    readable = event.raw_encoding != BASE64
    return RawRecord(
        position=recorded.position,
        source=event.source,
        pretty=pretty(event.raw) if readable else event.raw,
        exact=event.raw,
        encoding=event.raw_encoding,
    )


def pretty(raw: str) -> str:
    """Add line breaks to JSON and XML; return other records as received."""
    text = raw.strip()
    if len(text) > LONGEST_PRETTY:
        return raw
    try:
        if text.startswith(("{", "[")):
            return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        if text.startswith("<"):
            document = parseString(text)  # type: ignore[no-untyped-call]
            lines = document.toprettyxml(indent="  ").splitlines()
            return "\n".join(line for line in lines if line.strip())
    except (ValueError, ExpatError, DefusedXmlException, RecursionError):
        return raw
    return raw

"""Parses fields by name, with the synonyms of many senders: CSV with a header, JSON, forms."""

import msgspec

from billing.rating.cdr import Cdr
from billing.reading.delivery import Delivery
from billing.reading.times import moments
from billing.reading.values import (
    BadDuration,
    Fields,
    cause_of,
    direction_of,
    first_of,
    milliseconds,
    number_dialled,
    result_of,
    whole_number,
)

START = ("start", "start_time", "started_at", "start_stamp", "calldate", "time_start", "timestart")
ANSWER = ("answer", "answer_time", "answered_at", "answer_stamp", "time_answered")
END = ("end", "end_time", "ended_at", "end_stamp", "time_end")
CALLER = ("src", "caller", "caller_id_number", "from", "callfrom", "from_no", "ani", "source")
CALLED = ("dst", "called", "destination_number", "to", "callto", "to_no", "dialled", "destination")
DURATION = ("duration", "callduration", "callduraction")
BILLED = ("billsec", "bill_sec", "talk", "talkduration", "talkduraction", "billable_seconds")
ID = ("id", "uuid", "record_id", "cdr_id", "callid")
KNOWN = frozenset((*START, *ANSWER, *END, *CALLER, *CALLED, *DURATION, *BILLED, *ID))
KNOWN |= {"duration_ms", "bill_ms", "disposition", "direction", "uniqueid", "clid", "accountcode"}


class Durations(msgspec.Struct, frozen=True):
    """Durations of a call in milliseconds, as its sender counted them."""

    duration_ms: int = 0
    billed_ms: int = 0
    has_talk_time: bool = True  # whether a field gives the talk time, even 0
    problem: str = ""


def durations(fields: Fields) -> Durations:
    """Read the durations of a record, whatever their fields are called."""
    try:
        duration_ms = whole_number(fields.get("duration_ms", "")) or milliseconds(
            first_of(fields, *DURATION)
        )
        billed = first_of(fields, "bill_ms", "billed_ms", "billmsec")
        billed_seconds = first_of(fields, *BILLED)
        billed_ms = whole_number(billed) if billed else milliseconds(billed_seconds)
    except BadDuration:
        return Durations(problem="bad_duration")
    return Durations(duration_ms, billed_ms, bool(billed or billed_seconds))


def read(fields: Fields, delivery: Delivery) -> Cdr:
    """Build the record from named fields; the key is empty if none of them is an id."""
    disposition = first_of(fields, "disposition", "status", "result", "hangup_cause")
    sip_code, q850 = first_of(fields, "sip_code"), first_of(fields, "q850", "hangup_cause_q850")
    answer = first_of(fields, *ANSWER)
    length = durations(fields)
    # An answered call without a talk time would always be free, so a person has to check it.
    may_be_answered = result_of(disposition, 1, sip_code=sip_code, q850=q850) == "answered"
    says_so = bool(answer or disposition or sip_code or length.duration_ms)
    lacks_talk_time = not length.has_talk_time and may_be_answered and says_so
    times = moments(
        first_of(fields, *START),
        answer,
        first_of(fields, *END),
        zone=delivery.zone,
        duration_ms=length.duration_ms,
    )
    return Cdr(
        key=first_of(fields, *ID),
        call_id=first_of(fields, "call_id", "linkedid"),
        started_at=times.started_at,
        answered_at=times.answered_at,
        ended_at=times.ended_at,
        duration_ms=length.duration_ms,
        billed_ms=length.billed_ms,
        caller=number_dialled(first_of(fields, *CALLER)),
        called=number_dialled(first_of(fields, *CALLED)),
        direction=direction_of(fields.get("direction", "")),
        result=result_of(disposition, length.billed_ms, sip_code=sip_code, q850=q850),
        cause=cause_of(disposition, sip_code, q850),
        caller_name=first_of(fields, "caller_name", "caller_id_name"),
        source_trunk=first_of(fields, "source_trunk"),
        target_trunk=first_of(fields, "target_trunk", "trunk"),
        pin=first_of(fields, "pin", "account", "accountcode"),
        tenant=first_of(fields, "tenant", "context", "domain"),
        flags=times.flags,
        problem=times.problem or length.problem or ("bad_duration" if lacks_talk_time else ""),
    )

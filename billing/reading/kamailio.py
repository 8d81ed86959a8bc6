"""Parses records of Kamailio's acc module: dialogs are calls, transactions are halves of calls."""

import re
from zoneinfo import ZoneInfo

from billing.rating.cdr import CallRecord, Cdr
from billing.reading.delivery import Delivery, RecordText
from billing.reading.times import moments
from billing.reading.values import (
    BadDuration,
    Fields,
    cause_of,
    first_of,
    milliseconds,
    number_dialled,
    result_of,
)

LOG_LINE = re.compile(
    rb"ACC: [a-z ]{1,40}: (?=timestamp=)|log_write_cdr\(\): (?=start_time=)", re.IGNORECASE
)
_UTC = ZoneInfo("UTC")  # acc always writes UTC
_OTHER_NAMES = {
    "timestamp": "time",
    "code": "sip_code",
    "reason": "sip_reason",
    "call_id": "callid",
    "ci": "callid",
    "src": "src_user",
    "dst": "dst_user",
}


def is_record(fields: Fields) -> bool:
    """Whether named fields are a transaction or a dialog of acc."""
    return "callid" in fields and ("method" in fields or "start_time" in fields)


def read(fields: Fields) -> Cdr:
    """Build the record from acc's fields by name."""
    return _dialog(fields) if fields.get("start_time") else _transaction(fields)


def read_log_line(line: RecordText, delivery: Delivery) -> CallRecord:
    """Parse a log line of acc, starting at `name=value;`."""
    text = LOG_LINE.split(line.text.encode(), maxsplit=1)[-1].decode()
    pairs = (each.partition("=") for each in text.split(";"))
    fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
    fields = {_OTHER_NAMES.get(name, name): value for name, value in fields.items()}
    if not is_record(fields):
        return delivery.unreadable(line, "kamailio")
    return delivery.record(line, read(fields), "kamailio")


def _identity(fields: Fields) -> str:
    return "|".join(fields.get(name, "") for name in ("callid", "from_tag", "to_tag"))


def _caller(fields: Fields) -> str:
    return number_dialled(first_of(fields, "src_user", "from_user", "src", "caller"))


def _called(fields: Fields) -> str:
    return number_dialled(first_of(fields, "dst_ouser", "dst_user", "dst", "callee"))


def _transaction(fields: Fields) -> Cdr:
    """Build half a call from INVITE or BYE of an answered call; a refused INVITE is a whole one."""
    method, code = fields.get("method", "").upper(), fields.get("sip_code", "")
    times = moments(fields.get("time", ""), "", "", zone=_UTC, duration_ms=0)
    is_half = method != "INVITE" or code.startswith("2")
    ended_at = times.started_at if method != "INVITE" or not is_half else None
    return Cdr(
        key=f"{_identity(fields)}|{method}",
        call_id=fields.get("callid", ""),
        started_at=times.started_at,
        ended_at=ended_at,
        caller=_caller(fields),
        called=_called(fields),
        result="" if is_half else result_of("", 0, sip_code=code),
        cause=cause_of(fields.get("sip_reason", ""), code, ""),
        source_trunk=fields.get("src_ip", ""),
        flags=(f"half:{method[:20]}",) if is_half else (),
        problem=times.problem or ("unfinished" if is_half else ""),
    )


def _dialog(fields: Fields) -> Cdr:
    """Build a call from a dialog; its duration is the talk time, so unanswered ones have none."""
    problem, duration_ms = "", 0
    try:
        duration_ms = milliseconds(fields.get("duration", ""))
    except BadDuration:
        problem = "bad_duration"
    start = fields["start_time"]
    answer = start if duration_ms else ""
    times = moments(start, answer, fields.get("end_time", ""), zone=_UTC, duration_ms=duration_ms)
    code = fields.get("sip_code", "")
    if not problem and not fields.get("duration"):
        problem = "bad_duration"
    return Cdr(
        key=_identity(fields),
        call_id=fields.get("callid", ""),
        started_at=times.started_at,
        answered_at=times.answered_at,
        ended_at=times.ended_at,
        duration_ms=duration_ms,
        billed_ms=duration_ms,
        caller=_caller(fields),
        called=_called(fields),
        result=result_of("", duration_ms, sip_code=code),
        cause=cause_of(fields.get("sip_reason", ""), code, ""),
        source_trunk=fields.get("src_ip", ""),
        flags=times.flags,
        problem=times.problem or problem,
    )

"""Parses the small values that all formats share: texts, dialled numbers, durations, results."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from billing.rating.cdr import Direction, Result

MOST_MS = 366 * 86_400_000  # longer durations come from a broken counter
Fields = Mapping[str, str]

_SECONDS = re.compile(r"(-?)(\d{1,12}(?:\.\d{1,12})?)", re.ASCII)
_CLOCK = re.compile(r"(\d{1,5}):([0-5]\d):([0-5]\d)(?:\.(\d{1,3}))?", re.ASCII)


class BadDuration(ValueError):  # noqa: N818 -- becomes a record's problem, not an error
    """A duration is negative, too large or not a number."""


def text_of(value: Any) -> str:
    """Return a JSON scalar as trimmed text that is valid UTF-8; "" for other values."""
    if isinstance(value, str):
        # JSON can escape half a surrogate pair, which can't be stored.
        text: str = value if value.isascii() else value.encode("utf-8", "replace").decode()
        return text.strip()
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return str(value)
        except ValueError:  # Python refuses to print integers of thousands of digits
            return ""
    return ""


def fields_of(value: Mapping[Any, Any]) -> dict[str, str]:
    """Return the scalars of an object by lower-case name."""
    return {text_of(name).lower(): text_of(each) for name, each in value.items()}


def first_of(fields: Fields, *names: str) -> str:
    """Return the first value that is not empty; "" if there is none."""
    for name in names:
        if value := fields.get(name):
            return value
    return ""


def milliseconds(text: str) -> int:
    """Parse "12", "2.504" or "00:01:02" into milliseconds; 0 if empty. Raises BadDuration."""
    if not text:
        return 0
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds, part = clock.groups()
        whole = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
        return _within(whole * 1000 + int((part or "").ljust(3, "0")))
    number = _SECONDS.fullmatch(text)
    if not number or number[1]:
        raise BadDuration(text[:40])
    return _within(int(Decimal(number[2]) * 1000))


def whole_number(text: str) -> int:
    """Parse a count, such as milliseconds; 0 if empty. Raises BadDuration."""
    if not text:
        return 0
    number = _SECONDS.fullmatch(text)
    if not number or number[1]:
        raise BadDuration(text[:40])
    return _within(int(Decimal(number[2])))


def _within(value_ms: int) -> int:
    if value_ms > MOST_MS:
        raise BadDuration(str(value_ms))
    return value_ms


def number_dialled(text: str) -> str:
    """Normalise a dialled number: trimmed, without sip: and its host, without ;parameters."""
    text = text.strip()
    if text.isalnum():  # true for nearly all numbers
        return text
    if text[:1] == "<" and text[-1:] == ">":
        text = text[1:-1].strip()
    scheme, colon, rest = text.partition(":")
    if colon and scheme.lower() in ("sip", "sips", "tel"):
        text = rest.partition("@")[0]
    return text.partition(";")[0].strip()


_DIRECTIONS: dict[str, Direction] = {
    "outbound": "outbound",
    "outgoing": "outbound",
    "out": "outbound",
    "o": "outbound",
    "inbound": "inbound",
    "incoming": "inbound",
    "in": "inbound",
    "i": "inbound",
    "internal": "internal",
    "local": "internal",
    "intern": "internal",
}


def direction_of(word: str) -> Direction:
    """Return the direction that a word means; "" if none."""
    return _DIRECTIONS.get(word.lower(), "")


_WORDS: dict[str, Result] = {
    **dict.fromkeys(("answered", "answer", "success", "ok", "completed", "connected"), "answered"),
    **dict.fromkeys(("noanswer", "notanswered", "unanswered", "missed"), "no_answer"),
    **dict.fromkeys(("nouserresponse", "allottedtimeout", "progresstimeout"), "no_answer"),
    **dict.fromkeys(("busy", "userbusy", "busyhere"), "busy"),
    **dict.fromkeys(("cancel", "cancelled", "canceled", "originatorcancel"), "cancelled"),
    **dict.fromkeys(("failed", "failure", "congestion", "chanunavail", "error"), "failed"),
    **dict.fromkeys(("callrejected", "unallocatednumber", "normaltemporaryfailure"), "failed"),
    **dict.fromkeys(("noroutedestination", "networkoutoforder", "invalidnumberformat"), "failed"),
}
_SIP: dict[int, Result] = {
    408: "no_answer",
    480: "no_answer",
    486: "busy",
    487: "cancelled",
    600: "busy",
}
_Q850: dict[int, Result] = {17: "busy", 18: "no_answer", 19: "no_answer"}
_NORMAL_CLEARING = 16


def result_of(word: str, billed_ms: int, *, sip_code: str = "", q850: str = "") -> Result:
    """Return the result of a call: answered only if the sender says so and there was talk time.

    The sender's word precedes its codes; talk time decides only if both are missing.
    """
    result = _WORDS.get("".join(filter(str.isalnum, word)).lower())
    result = result or _by_sip_code(sip_code) or _by_q850(q850)
    if result is None:
        return "answered" if billed_ms else "no_answer"
    return "no_answer" if result == "answered" and not billed_ms else result


def _by_sip_code(text: str) -> Result | None:
    if not (text.isascii() and text.isdigit() and len(text) == 3):  # noqa: PLR2004 -- SIP codes have three digits
        return None
    code = int(text)
    return "answered" if text[0] == "2" else _SIP.get(code, "failed")


def _by_q850(text: str) -> Result | None:
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 4):  # noqa: PLR2004 -- at most 127
        return None
    code = int(text)
    if code in (0, _NORMAL_CLEARING):
        return None
    return _Q850.get(code, "failed")


def cause_of(disposition: str, sip_code: str, q850: str) -> str:
    """Return the sender's own words for the result: "486 Busy", "Q.850 17 BUSY", "ANSWERED"."""
    code = sip_code if sip_code not in ("", "0") else ""
    if not code and q850 not in ("", "0"):
        code = f"Q.850 {q850}"
    return f"{code} {disposition}".strip()

"""The neutral form of a call record: what every format is read into and where rating begins."""

from datetime import datetime
from typing import Literal

import msgspec

Direction = Literal["outbound", "inbound", "internal", ""]
Result = Literal["answered", "no_answer", "busy", "failed", "cancelled", ""]


class Cdr(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One leg as its sender told it. Times are UTC; durations are milliseconds as counted there."""

    key: str  # the record key by the rule of its source, one in each module of reading/
    call_id: str = ""  # links the legs of one conversation
    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    duration_ms: int = 0
    billed_ms: int = 0  # talk time
    caller: str = ""
    called: str = ""  # as dialled
    direction: Direction = ""  # "" when the source does not say
    result: Result = ""
    cause: str = ""  # the sender's own word: "NORMAL_CLEARING", "486 Busy"
    caller_name: str = ""
    source_trunk: str = ""  # the gateway or trunk the call came in by
    target_trunk: str = ""  # the gateway or trunk it left by
    pin: str = ""  # account code
    tenant: str = ""  # context or domain of a hosted device
    flags: tuple[str, ...] = ()  # "ambiguous_time", "encoding", "repaired", ...
    # Why it can't be rated: "bad_time", "bad_duration", "unreadable", "unfinished".
    problem: str = ""


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One record as it was read: what it means, and what the switch said."""

    cdr: Cdr  # an unreadable one has `problem` set and a key from its content
    raw: str  # untouched
    raw_encoding: str = ""  # "base64" where the bytes were no text
    source: str  # the format it was read as

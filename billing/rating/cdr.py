"""The neutral form of a call record: what every format is parsed into, and what is rated."""

from datetime import datetime
from typing import Literal

import msgspec

Direction = Literal["outbound", "inbound", "internal", ""]
Result = Literal["answered", "no_answer", "busy", "failed", "cancelled", ""]


class Cdr(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One leg of a call as its sender reported it. Times are UTC, durations milliseconds."""

    key: str  # the record key by the rule of its source, one in each module of reading/
    call_id: str = ""  # links the legs of one conversation
    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    duration_ms: int = 0
    billed_ms: int = 0  # talk time
    caller: str = ""
    called: str = ""  # as dialled
    direction: Direction = ""  # "" if the source does not say
    result: Result = ""
    cause: str = ""  # in the sender's words: "NORMAL_CLEARING", "486 Busy"
    caller_name: str = ""
    source_trunk: str = ""  # gateway or trunk of the incoming side
    target_trunk: str = ""  # gateway or trunk of the outgoing side
    pin: str = ""  # account code
    tenant: str = ""  # context or domain of a hosted device
    flags: tuple[str, ...] = ()  # "ambiguous_time", "encoding", "repaired", ...
    # Why it can't be rated: "bad_time", "bad_duration", "unreadable", "unfinished".
    problem: str = ""


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One record as parsed: the neutral form, and the original text."""

    cdr: Cdr  # an unreadable record has `problem` set and a key hashed from its content
    raw: str  # unchanged
    raw_encoding: str = ""  # "base64" if the bytes are not valid text
    source: str  # the record format

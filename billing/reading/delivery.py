"""State shared by the records of one delivery: profile, decoding, keys for records without one."""

import base64
import hashlib
from datetime import datetime
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from billing.rating.cdr import CallRecord, Cdr
from billing.reading.model import Source, SourceProfile

BLANK = " \t\r\n\v\f"  # of a blank line; str.strip() would take more


class RecordText(msgspec.Struct, frozen=True):
    """The text of one record, and its original form."""

    text: str
    raw: str
    raw_encoding: Literal["", "base64"] = ""
    flags: tuple[str, ...] = ()


class Delivery:
    """One body or file while it is being parsed."""

    def __init__(self, profile: SourceProfile, received_at: datetime) -> None:
        self.profile = profile
        self.zone = ZoneInfo(profile.zone)
        self.fallback_encoding = _usable(profile.fallback_encoding)
        self.received_at = received_at
        self._equals: dict[bytes, int] = {}

    def decode(self, content: bytes) -> RecordText:
        """Decode as UTF-8, otherwise in the profile's encoding with a flag."""
        try:
            if b"\0" in content:  # not text: in JSON each would take six bytes
                return RecordText(content.decode(), base64.b64encode(content).decode(), "base64")
            text = content.decode()
        except UnicodeDecodeError:
            raw = base64.b64encode(content).decode()
            text = content.decode(self.fallback_encoding, "replace")
            return RecordText(text, raw, "base64", ("encoding",))
        return RecordText(text, text)

    def content_key(self, line: RecordText) -> str:
        """Return a key for a record without one: hash and ordinal of its content."""
        digest = hashlib.sha256(f"{line.raw_encoding}{line.raw}".encode()).digest()
        ordinal = self._equals[digest] = self._equals.get(digest, 0) + 1
        return f"sha256:{digest.hex()}:{ordinal}"

    def record(self, line: RecordText, cdr: Cdr, source: Source) -> CallRecord:
        """Build a record, adding the line's flags and, if it has no key, a content key."""
        if line.flags or not cdr.key:
            cdr = msgspec.structs.replace(
                cdr, key=cdr.key or self.content_key(line), flags=(*cdr.flags, *line.flags)
            )
        return CallRecord(cdr=cdr, raw=line.raw, raw_encoding=line.raw_encoding, source=source)

    def unreadable(self, line: RecordText, source: Source = "unknown") -> CallRecord:
        """Keep a record that can't be parsed."""
        return self.record(line, Cdr(key="", problem="unreadable"), source)


@lru_cache(100)
def _usable(encoding: str) -> str:
    """Return the encoding; latin-1 if there is none of this name, or it can't read any bytes."""
    try:
        bytes(range(256)).decode(encoding, "replace")
    except (LookupError, ValueError):  # a name may hold a NUL
        return "latin-1"
    return encoding


def repaired(line: RecordText) -> RecordText:
    """Flag the line: its text was invalid and the parsed values are a guess."""
    return msgspec.structs.replace(line, flags=(*line.flags, "repaired"))

"""State shared by the records of one delivery: profile, decoding, keys for records without one."""

import base64
import hashlib
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from billing.rating.cdr import CallRecord, Cdr
from billing.reading.model import Source, SourceProfile

BLANK = " \t\r\n\v\f"  # of a blank line; str.strip() would take more


class RecordText(msgspec.Struct, frozen=True):
    """The text of one record, and how to keep it as it came."""

    text: str
    raw: str
    raw_encoding: Literal["", "base64"] = ""
    flags: tuple[str, ...] = ()


class Delivery:
    """One body or file while it is being parsed."""

    def __init__(self, profile: SourceProfile, received_at: datetime) -> None:
        self.profile = profile
        self.zone = ZoneInfo(profile.zone)
        self.received_at = received_at
        self._equals: dict[bytes, int] = {}

    def decode(self, content: bytes) -> RecordText:
        """UTF-8, else the profile's encoding, flagged."""
        try:
            if b"\0" in content:  # no text: as JSON each would take six bytes
                return RecordText(content.decode(), base64.b64encode(content).decode(), "base64")
            text = content.decode()
        except UnicodeDecodeError:
            raw = base64.b64encode(content).decode()
            return RecordText(self._fall_back(content), raw, "base64", ("encoding",))
        return RecordText(text, text)

    def _fall_back(self, content: bytes) -> str:
        try:
            return content.decode(self.profile.fallback_encoding, "replace")
        except (LookupError, UnicodeError):
            return content.decode("latin-1")

    def content_key(self, line: RecordText) -> str:
        """A key for a record that brings none: equal records of one delivery are told apart."""
        digest = hashlib.sha256(f"{line.raw_encoding}{line.raw}".encode()).digest()
        ordinal = self._equals[digest] = self._equals.get(digest, 0) + 1
        return f"sha256:{digest.hex()}:{ordinal}"

    def record(self, line: RecordText, cdr: Cdr, source: Source) -> CallRecord:
        """A record with what its line still adds: the key if there is none, and its flags."""
        if line.flags or not cdr.key:
            cdr = msgspec.structs.replace(
                cdr, key=cdr.key or self.content_key(line), flags=(*cdr.flags, *line.flags)
            )
        return CallRecord(cdr=cdr, raw=line.raw, raw_encoding=line.raw_encoding, source=source)

    def unreadable(self, line: RecordText, source: Source = "unknown") -> CallRecord:
        """A record that says nothing to us, kept."""
        return self.record(line, Cdr(key="", problem="unreadable"), source)


def repaired(line: RecordText) -> RecordText:
    """The line, flagged: its own text was invalid and what it means is a guess."""
    return msgspec.structs.replace(line, flags=(*line.flags, "repaired"))

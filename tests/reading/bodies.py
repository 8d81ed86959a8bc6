"""Helpers for these tests: short ways to parse a body, and captures of real switches."""

from datetime import UTC, datetime
from pathlib import Path

from billing.rating.cdr import CallRecord, Cdr
from billing.reading import SourceProfile, read_body

CAPTURES = Path(__file__).parents[1] / "captures"
RECEIVED = datetime(2026, 11, 23, 2, tzinfo=UTC)


def read(
    body: bytes | str, *, encoding: str = "", most: int = 100_000, **profile: object
) -> list[CallRecord]:
    """Parse a body with a profile of these settings."""
    return read_body(
        body.encode() if isinstance(body, str) else body,
        content_encoding=encoding,
        profile=SourceProfile(**profile),  # type: ignore[arg-type]
        received_at=RECEIVED,
        most_records=most,
    )


def cdr_of(body: bytes | str, **profile: object) -> Cdr:
    """Parse a body with a single record; return its CDR."""
    (record,) = read(body, **profile)  # type: ignore[arg-type]
    return record.cdr


def sample(name: str) -> bytes:
    """Return the body of a capture of a real switch (tests/captures/README.md)."""
    path = CAPTURES / name
    content = path.read_bytes()
    return content.split(b"\n\n", 1)[1] if path.suffix == ".req" else content


def utc(text: str) -> datetime:
    """Parse a UTC time such as "2026-11-23 01:16:09"."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)

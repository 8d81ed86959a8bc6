"""Converts the times that switches write to UTC, including hours that a clock change repeats.

For a repeated hour the evidence is, in order: an offset, the epoch in the record's id, end minus
duration; without any of these the first occurrence is taken and flagged.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import msgspec

FIRST_YEAR, LAST_YEAR = 1990, 2100
AMBIGUOUS = "ambiguous_time"

_NEAR = timedelta(minutes=15)  # an id is created about when the call starts
_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_OFFSET_MINUTES = 15 * 60
_ABSENT = frozenset(("", "0", "-", "null", "none", "0000-00-00 00:00:00", "0000-00-00t00:00:00"))
_EPOCH = re.compile(r"(\d{9,10}|\d{12,13}|\d{15,16})(?:\.(\d{1,9}))?", re.ASCII)
_STAMP = re.compile(
    r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:T|\s{1,3})(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,12}))?)?"
    r"\s{0,3}(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII | re.IGNORECASE,
)


class BadTime(ValueError):  # noqa: N818 -- becomes a record's problem, not an error
    """A time is invalid or outside FIRST_YEAR to LAST_YEAR."""


class Moments(msgspec.Struct, frozen=True):
    """The times of a call in UTC."""

    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    flags: tuple[str, ...] = ()
    problem: str = ""


def moments(
    start: str,
    answer: str,
    end: str,
    *,
    zone: ZoneInfo,
    duration_ms: int,
    epoch: int | None = None,
) -> Moments:
    """Convert a call's times; `epoch` is the time in the record's id, in seconds."""
    stamps: list[datetime | None] = []
    bad = False
    for text in (start, answer, end):
        try:
            stamps.append(read_stamp(text))
        except BadTime:
            stamps.append(None)
            bad = True
    choices = [_choices(stamp, zone) if stamp else ((), False) for stamp in stamps]
    (starts, start_gap), (answers, answer_gap), (ends, end_gap) = choices
    problem = "bad_time" if bad or not starts else ""
    if not starts:
        return Moments(problem=problem)
    started_at, certain = _decide(starts, ends, timedelta(milliseconds=duration_ms), epoch)
    ended_at = _closest(ends, started_at + timedelta(milliseconds=duration_ms))
    answered_at = min(
        answers,
        key=lambda each: (each < started_at or (ended_at is not None and each > ended_at), each),
        default=None,
    )
    odd = start_gap or answer_gap or end_gap or not certain
    return Moments(started_at, answered_at, ended_at, (AMBIGUOUS,) if odd else (), problem)


def read_stamp(text: str) -> datetime | None:
    """Parse a time: UTC if the text has an offset, else naive; None if empty. Raises BadTime."""
    text = text.strip()
    if text.lower() in _ABSENT:
        return None
    try:
        stamp = _read_epoch(text) or _read_calendar(text)
    except (ValueError, OverflowError) as error:
        raise BadTime(text[:40]) from error
    if not FIRST_YEAR <= stamp.year <= LAST_YEAR:
        raise BadTime(text[:40])
    return stamp


def _read_epoch(text: str) -> datetime | None:
    match = _EPOCH.fullmatch(text)
    if not match:
        return None
    whole, part = match.groups()
    digits = len(whole)
    micros = whole + ("000000" if digits <= 10 else "000" if digits <= 13 else "")  # noqa: PLR2004 -- s, ms, us
    extra = int((part or "").ljust(6, "0")[:6]) if digits <= 10 else 0  # noqa: PLR2004 -- s
    return _EPOCH_START + timedelta(microseconds=int(micros) + extra)


def _read_calendar(text: str) -> datetime:
    match = _STAMP.fullmatch(text)
    if not match:
        raise BadTime(text[:40])
    year, month, day, hour, minute, second, part, offset = match.groups()
    stamp = datetime(  # noqa: DTZ001 -- the zone is added later
        int(year),
        int(month),
        int(day),
        int(hour),
        int(minute),
        int(second or 0),
        int((part or "").ljust(6, "0")[:6]),
    )
    if not offset:
        return stamp
    return stamp.replace(tzinfo=_zone_of(offset)).astimezone(UTC)


def _zone_of(offset: str) -> timezone:
    if offset[0] not in "+-":
        return UTC
    digits = offset[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    if minutes > _MOST_OFFSET_MINUTES:
        raise BadTime(offset)
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))


def _choices(stamp: datetime, zone: ZoneInfo) -> tuple[tuple[datetime, ...], bool]:
    """Return the instants a stamp can mean, earliest first, and whether the clock skipped it."""
    if stamp.tzinfo:
        return (stamp,), False
    local = stamp.replace(tzinfo=zone)
    first, second = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    if first == second:
        return (first,), False
    if first > second:  # skipped hour: the offset before the change puts it after the gap
        return (first,), True
    return (first, second), False


def _decide(
    starts: tuple[datetime, ...],
    ends: tuple[datetime, ...],
    duration: timedelta,
    epoch: int | None,
) -> tuple[datetime, bool]:
    """Return the most likely start, and whether it is certain."""
    if len(starts) == 1:
        return starts[0], True
    if epoch is not None:
        begun = _EPOCH_START + timedelta(seconds=epoch)
        distance, nearest = min((abs(each - begun), each) for each in starts)
        if distance <= _NEAR:
            return nearest, True
    if ends:
        misfits = [min(abs(end - start - duration) for end in ends) for start in starts]
        if misfits[0] != misfits[1]:
            return starts[misfits.index(min(misfits))], True
    return starts[0], False


def _closest(choices: tuple[datetime, ...], to: datetime) -> datetime | None:
    return min(choices, key=lambda each: abs(each - to), default=None)

"""Parses the cells of a deck: prefixes in all notations, increments, dates."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from billing.rating.rates import LONGEST_PREFIX
from billing.values import YEARS, Refused, is_digits

MOST_OF_A_RANGE = 1_000
YEAR_FIRST = re.compile(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})(?:[ T].*)?")
YEAR_LAST = re.compile(r"([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})(?:[ T].*)?")
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}[+-][0-9]{2}:[0-9]{2}")
RANGE = re.compile(r"([0-9]+)\s*[-\u2013]\s*([0-9]+)")


def prefixes(cell: str, country_code: str = "") -> list[str]:
    """Return all prefixes of a cell: "+34 600", "56, 562; 563", "5690-5699", "5690-9".

    `country_code` is the cell of a separate column, put before each prefix; alone if `cell` is
    empty. Refused if a prefix or a range is invalid.
    """
    if is_digits(cell) and not country_code:
        return [_checked(cell.removeprefix("00"))]
    code = "".join(_bare(country_code)) if country_code else ""
    found = [prefix for piece in _pieces(cell) for prefix in _expanded(piece)]
    return [_checked(code + prefix) for prefix in found or ([""] if code else [])]


def _pieces(cell: str) -> Iterator[str]:
    for piece in re.split(r"[,;/|\n]+", cell):
        text = "-".join(part.strip() for part in re.split("[-\u2013]", piece.strip()))
        if not text:
            continue
        if text.startswith(("+", "00")):
            yield "".join(_bare(text))  # "+34 600" is one prefix
        else:
            yield from text.split()


def _bare(text: str) -> str:
    return re.sub(r"[\s().]", "", text.strip()).removeprefix("+").removeprefix("00")


def _expanded(piece: str) -> Iterator[str]:
    ends = RANGE.fullmatch(piece)
    if not ends:
        yield _bare(piece)
        return
    first, last = ends.groups()
    if max(len(first), len(last)) > LONGEST_PREFIX:
        raise Refused("%(text)s is not a prefix.", text=repr(piece[:LONGEST_PREFIX]))
    if len(last) < len(first):
        last = first[: len(first) - len(last)] + last
    count = int(last) - int(first) + 1
    if len(first) != len(last) or not 0 < count <= MOST_OF_A_RANGE:
        raise Refused("%(text)s is not a valid range (at most 1000 prefixes).", text=repr(piece))
    yield from (f"{number:0{len(first)}}" for number in range(int(first), int(last) + 1))


def _checked(prefix: str) -> str:
    if not is_digits(prefix) or len(prefix) > LONGEST_PREFIX:
        raise Refused("%(text)s is not a prefix.", text=repr(prefix))
    return prefix


def increments(cell: str) -> tuple[int, int]:
    """Parse "60/60", "30+6" or "1" into the first and the following increments, in seconds."""
    found = re.fullmatch(
        r"([0-9]{1,5})(?:\s*[/+\-]\s*([0-9]{1,5}))?(?:\s*/\s*[0-9]+)?", cell.strip()
    )
    first, then = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if first < 1 or then < 1:
        raise Refused("%(text)s is not an increment. Write it like 60/60 or 1.", text=repr(cell))
    return first, then


def beginning(cell: str, zone: ZoneInfo) -> datetime:
    """Return a day's local midnight in UTC: "2026-12-01", "1/12/2026" (day first), "1.12.2026".

    A moment as exported prices have it, "2026-12-01T09:30:00+00:00", is returned unchanged.
    """
    try:
        if MOMENT.fullmatch(cell.strip()):
            moment = datetime.fromisoformat(cell.strip()).astimezone(UTC)
            if moment.year in YEARS:
                return moment
        if found := YEAR_FIRST.fullmatch(cell.strip()):
            year, month, day = map(int, found.groups())
        elif found := YEAR_LAST.fullmatch(cell.strip()):
            day, month, year = map(int, found.groups())
        else:
            raise ValueError  # noqa: TRY301 -- a single refusal below
        if year not in YEARS:
            raise ValueError  # noqa: TRY301 -- a single refusal below
        return datetime(year, month, day, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Refused("%(text)s is not a date.", text=repr(cell)) from error

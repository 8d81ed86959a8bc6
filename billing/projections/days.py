"""Local days and months: of the site's zone, worked out once for each quarter of an hour."""

from datetime import UTC, date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

from billing.aggregates.statement import month_after

QUARTER_SECONDS = 900  # no zone changes its offset within a quarter of an hour


def local_hour(moment: datetime, zone: str) -> tuple[date, int]:
    """The local day and hour of a moment."""
    return _hour(int(moment.timestamp()) // QUARTER_SECONDS, zone)


def local_day(moment: datetime, zone: str) -> date:
    """The local day of a moment."""
    return _hour(int(moment.timestamp()) // QUARTER_SECONDS, zone)[0]


def local_month(moment: datetime, zone: str) -> str:
    """The local month of a moment, as "2026-11"."""
    return _month(int(moment.timestamp()) // QUARTER_SECONDS, zone)


def month_end(month: str, zone: str) -> datetime:
    """The UTC instant at which a local month has ended."""
    following = month_after(month)
    first = date(int(following[:4]), int(following[5:]), 1)
    return datetime.combine(first, time(), ZoneInfo(zone)).astimezone(UTC)


@lru_cache(maxsize=20_000)
def _hour(quarter: int, zone: str) -> tuple[date, int]:
    local = datetime.fromtimestamp(quarter * QUARTER_SECONDS, ZoneInfo(zone))
    return local.date(), local.hour


@lru_cache(maxsize=20_000)
def _month(quarter: int, zone: str) -> str:
    return _hour(quarter, zone)[0].isoformat()[:7]

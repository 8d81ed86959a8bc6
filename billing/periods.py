"""Days, months and periods, in the local time of a zone. Imports only `values` of ours.

A month is a text such as "2026-11". To add and compare months, they are numbered from year 0.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from billing.values import Refused

MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
MONTHS = 12  # per year
QUARTER_SECONDS = 900  # no zone changes its offset within a quarter of an hour
UNDATED = datetime(1970, 1, 1, tzinfo=UTC)  # stands for no moment where tables sort by it


class Period(msgspec.Struct, frozen=True):
    """Local days from `first` to `last`, both included."""

    first: date
    last: date

    def bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return the UTC instants [begin, end) of the period in a zone."""
        begin = datetime.combine(self.first, time(), zone)
        end = datetime.combine(self.last + timedelta(days=1), time(), zone)
        return begin.astimezone(UTC), end.astimezone(UTC)


def read_month(text: str) -> str:
    """Return `text` if it is a month such as "2026-03". Refused otherwise."""
    if not MONTH.fullmatch(text):
        raise Refused("%(text)s is not a month.", text=text)
    return text


def _number(year: int, month: int) -> int:
    return year * MONTHS + month - 1


def _month_of(number: int) -> str:
    return f"{number // MONTHS:04}-{number % MONTHS + 1:02}"


def month_after(month: str) -> str:
    """Return the next month: 2027-01 for 2026-12."""
    return _month_of(_number(int(month[:4]), int(month[5:])) + 1)


def month_before(month: str) -> str:
    """Return the previous month: 2026-12 for 2027-01."""
    return _month_of(_number(int(month[:4]), int(month[5:])) - 1)


def months_before(now: datetime, count: int) -> str:
    """Return the month `count` months before the month of `now`."""
    return _month_of(_number(now.year, now.month) - count)


def months_between(begin: datetime, end: datetime) -> list[str]:
    """Return the UTC months from that of `begin` to that of `end`, both included."""
    first, last = _number(begin.year, begin.month), _number(end.year, end.month)
    return [_month_of(number) for number in range(first, last + 1)]


def month_period(month: str) -> Period:
    """Return the days of a month."""
    first = date.fromisoformat(f"{month}-01")
    return Period(first, date.fromisoformat(f"{month_after(month)}-01") - timedelta(days=1))


def last_days(today: date, days: int) -> Period:
    """Return the period of `days` days that ends today."""
    return Period(today - timedelta(days=days - 1), today)


def period_before(period: Period) -> Period:
    """Return the period of equal length (or as many whole months) that ends the day before."""
    last = period.first - timedelta(days=1)
    if period.first.day == 1 and (period.last + timedelta(days=1)).day == 1:
        begin = _number(period.first.year, period.first.month)
        count = _number(period.last.year, period.last.month) - begin + 1
        return Period(date.fromisoformat(f"{_month_of(begin - count)}-01"), last)
    return Period(last - (period.last - period.first), last)


def local_hour(moment: datetime, zone: str) -> tuple[date, int]:
    """Return the local day and hour of an instant, cached per quarter of an hour."""
    return _hour(int(moment.timestamp()) // QUARTER_SECONDS, zone)


def local_day(moment: datetime, zone: str) -> date:
    """Return the local day of an instant."""
    return _hour(int(moment.timestamp()) // QUARTER_SECONDS, zone)[0]


def local_month(moment: datetime, zone: str) -> str:
    """Return the local month of an instant, as "2026-11"."""
    return _month(int(moment.timestamp()) // QUARTER_SECONDS, zone)


def last_month(now: datetime, zone: str) -> tuple[datetime, datetime]:
    """Return the UTC instants [begin, end) of the local month before that of `now`."""
    return month_period(month_before(local_month(now, zone))).bounds(ZoneInfo(zone))


def month_end(month: str, zone: str) -> datetime:
    """Return the UTC instant at which a local month ends (exclusive)."""
    return month_period(month).bounds(ZoneInfo(zone))[1]


@lru_cache(maxsize=20_000)
def _hour(quarter: int, zone: str) -> tuple[date, int]:
    local = datetime.fromtimestamp(quarter * QUARTER_SECONDS, ZoneInfo(zone))
    return local.date(), local.hour


@lru_cache(maxsize=20_000)
def _month(quarter: int, zone: str) -> str:
    return _hour(quarter, zone)[0].isoformat()[:7]

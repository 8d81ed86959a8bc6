"""Days, months and periods, in the local time of a zone. Imports nothing of ours but values.

A month is the text "2026-11"; its number counts months since year 0, so that months are integers
where they are added and compared.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from billing.values import Refused

MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
MONTHS = 12  # of a year
QUARTER_SECONDS = 900  # no zone changes its offset within a quarter of an hour
UNDATED = datetime(1970, 1, 1, tzinfo=UTC)  # stands for no moment where tables sort by it


class Period(msgspec.Struct, frozen=True):
    """Half-open local days [first, last + 1 day) in one zone."""

    first: date
    last: date

    def bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """The UTC instants at which the period begins and has ended."""
        begin = datetime.combine(self.first, time(), zone)
        end = datetime.combine(self.last + timedelta(days=1), time(), zone)
        return begin.astimezone(UTC), end.astimezone(UTC)


def read_month(text: str) -> str:
    """A month as "2026-03". Refused otherwise."""
    if not MONTH.fullmatch(text):
        raise Refused("%(text)s is not a month.", text=text)
    return text


def _number(year: int, month: int) -> int:
    return year * MONTHS + month - 1


def _month_of(number: int) -> str:
    return f"{number // MONTHS:04}-{number % MONTHS + 1:02}"


def month_after(month: str) -> str:
    """The month that follows: of 2026-12 it is 2027-01."""
    return _month_of(_number(int(month[:4]), int(month[5:])) + 1)


def month_before(month: str) -> str:
    """The month before: of 2027-01 it is 2026-12."""
    return _month_of(_number(int(month[:4]), int(month[5:])) - 1)


def months_before(now: datetime, count: int) -> str:
    """The month `count` months before that of `now`."""
    return _month_of(_number(now.year, now.month) - count)


def months_between(begin: datetime, end: datetime) -> list[str]:
    """The months of UTC from `begin` to before `end`."""
    first, last = _number(begin.year, begin.month), _number(end.year, end.month)
    return [_month_of(number) for number in range(first, last + 1)]


def month_period(month: str) -> Period:
    """The days of a month."""
    first = date.fromisoformat(f"{month}-01")
    return Period(first, date.fromisoformat(f"{month_after(month)}-01") - timedelta(days=1))


def last_days(today: date, days: int) -> Period:
    """The period of the `days` days that end today."""
    return Period(today - timedelta(days=days - 1), today)


def period_before(period: Period) -> Period:
    """The period of equal length that ends the day before; of whole months, as many months."""
    last = period.first - timedelta(days=1)
    if period.first.day == 1 and (period.last + timedelta(days=1)).day == 1:
        begin = _number(period.first.year, period.first.month)
        count = _number(period.last.year, period.last.month) - begin + 1
        return Period(date.fromisoformat(f"{_month_of(begin - count)}-01"), last)
    return Period(last - (period.last - period.first), last)


def local_hour(moment: datetime, zone: str) -> tuple[date, int]:
    """The local day and hour of a moment, worked out once for each quarter of an hour."""
    return _hour(int(moment.timestamp()) // QUARTER_SECONDS, zone)


def local_day(moment: datetime, zone: str) -> date:
    """The local day of a moment."""
    return _hour(int(moment.timestamp()) // QUARTER_SECONDS, zone)[0]


def local_month(moment: datetime, zone: str) -> str:
    """The local month of a moment, as "2026-11"."""
    return _month(int(moment.timestamp()) // QUARTER_SECONDS, zone)


def last_month(now: datetime, zone: str) -> tuple[datetime, datetime]:
    """The UTC instants at which the local month before that of `now` began and ended."""
    return month_period(month_before(local_month(now, zone))).bounds(ZoneInfo(zone))


def month_end(month: str, zone: str) -> datetime:
    """The UTC instant at which a local month has ended."""
    return month_period(month).bounds(ZoneInfo(zone))[1]


@lru_cache(maxsize=20_000)
def _hour(quarter: int, zone: str) -> tuple[date, int]:
    local = datetime.fromtimestamp(quarter * QUARTER_SECONDS, ZoneInfo(zone))
    return local.date(), local.hour


@lru_cache(maxsize=20_000)
def _month(quarter: int, zone: str) -> str:
    return _hour(quarter, zone)[0].isoformat()[:7]

"""Format figures and times in the reader's language and the site's time zone."""

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from babel import dates, numbers
from babel.numbers import get_currency_precision

from billing.values import MICROS, Money, decimal_unit, minor_unit, rounded
from billing.web.kit.i18n import gettext, locale

BYTES = 1000  # as disks are sold and `df -H` prints
LETTER_THEN_DIGIT = re.compile(r"([^\W\d_])(\d)")  # PEN0.15: a code needs a space before the figure


def money(micros: int, currency: str, digits: int | None = None) -> str:
    """An amount; totals with the currency's own decimals, calls and rates with `digits`."""
    if not currency:
        return decimal(Decimal(micros) / MICROS, 2 if digits is None else digits)
    # Rounded here, so that less than half a cent owed is 0.00 and never -0.00.
    unit = minor_unit(currency) if digits is None else decimal_unit(digits)
    amount = Decimal(rounded(micros, unit)) / MICROS
    pattern = locale().currency_formats["standard"].pattern
    if digits is not None:
        pattern = pattern.replace("0.00", "0." + "0" * digits)
    text = numbers.format_currency(
        amount, currency, format=pattern, locale=locale(), currency_digits=digits is None
    )
    return LETTER_THEN_DIGIT.sub("\\1\N{NO-BREAK SPACE}\\2", text)


def exact_money(micros: int, currency: str) -> str:
    """An amount with all its decimals, and at least those of its currency."""
    unit, digits = minor_unit(currency), get_currency_precision(currency)
    while micros % unit:
        unit, digits = unit // 10, digits + 1
    return money(micros, currency, digits)


def price(text: str | Decimal, currency: str) -> str:
    """Format the price of a rate, with two to eight decimals."""
    pattern = locale().currency_formats["standard"].pattern
    shown = numbers.format_currency(
        Decimal(text),
        currency or "XXX",
        format=pattern.replace("0.00", "0.00######") if currency else "#,##0.00######",
        locale=locale(),
        currency_digits=False,
    )
    return LETTER_THEN_DIGIT.sub("\\1\N{NO-BREAK SPACE}\\2", shown)


def amount(value: Money) -> str:
    """Format a total."""
    return money(value.micros, value.currency)


def decimal(value: Decimal | int, digits: int = 0) -> str:
    """Format a number with grouped thousands, from the first thousand, so that columns line up."""
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    return numbers.format_decimal(value, format=pattern, locale=locale())


def percent(part: int, whole: int) -> str:
    """Format a share with one decimal."""
    share = Decimal(part) / whole if whole else Decimal(0)
    pattern = locale().percent_formats[None].pattern.replace("#,##0", "#,##0.0")
    return numbers.format_percent(share, format=pattern, locale=locale())


def size(count: int) -> str:
    """Format a number of bytes, such as 1.4 GB."""
    value, unit = Decimal(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < BYTES:
            break
        value, unit = value / BYTES, larger
    return f"{decimal(value, 0 if unit == 'B' else 1)}\N{NO-BREAK SPACE}{unit}"


def duration(length: timedelta) -> str:
    """Format a length of time in words, such as 3 days."""
    return dates.format_timedelta(length, granularity="minute", locale=locale())


def hms(seconds: int) -> str:
    """Format seconds as 0:07:17."""
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def hm(seconds: int) -> str:
    """Format many seconds as 4.758 h 46 min."""
    minutes = round(seconds / 60)
    return f"{decimal(minutes // 60)} h {minutes % 60:02} min"


def moment(value: datetime, pattern: str, zone: ZoneInfo) -> str:
    """Format a time in the site's time zone."""
    return dates.format_datetime(value, pattern, tzinfo=zone, locale=locale())


def day(value: date, pattern: str = "d MMM y") -> str:
    """Format a day."""
    return dates.format_date(value, pattern, locale=locale())


def weekday(value: date) -> str:
    """Format a day with its weekday, both short: Fri, 27 Nov 2026."""
    return dates.format_skeleton("yMMMEd", value, locale=locale())


def long_day(value: datetime, zone: ZoneInfo) -> str:
    """Format the local day of a time in words, with its weekday."""
    return day(value.astimezone(zone).date(), "full")


def month(text: str) -> str:
    """Format a month such as "2026-10"."""
    return dates.format_skeleton("yMMMM", date.fromisoformat(f"{text}-01"), locale=locale())


def zone_name(zone: ZoneInfo) -> str:
    """Return the name of a time zone, such as "Madrid time"."""
    if "/" not in zone.key:
        return zone.key
    city = dates.get_timezone_location(zone, locale=locale(), return_city=True)
    return gettext("%(city)s time", city=city)


def query(given: dict[str, str], **change: str) -> str:
    """Return the query string of a URL, without empty values."""
    values = {key: value for key, value in {**given, **change}.items() if value}
    return "?" + urlencode(values) if values else ""


def segment(text: str) -> str:
    """Escape a text for use as one segment of a path."""
    return quote(text, safe=":")

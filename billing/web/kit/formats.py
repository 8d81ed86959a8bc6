"""How figures and times are written in the reader's language and the site's zone."""

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from babel import dates, numbers

from billing.values import MICROS, Money
from billing.web.kit.i18n import gettext, locale

BYTES = 1000  # as disks are sold and df -H tells
LETTER_THEN_DIGIT = re.compile(r"([^\W\d_])(\d)")  # PEN0.15: a code needs room before its figure


def money(micros: int, currency: str, digits: int | None = None) -> str:
    """An amount; totals with the currency's own decimals, calls and rates with `digits`."""
    amount = Decimal(micros) / MICROS
    if not currency:
        return decimal(amount, 2 if digits is None else digits)
    pattern = locale().currency_formats["standard"].pattern
    if digits is not None:
        pattern = pattern.replace("0.00", "0." + "0" * digits)
    text = numbers.format_currency(
        amount, currency, format=pattern, locale=locale(), currency_digits=digits is None
    )
    return LETTER_THEN_DIGIT.sub("\\1\N{NO-BREAK SPACE}\\2", text)


def price(text: str | Decimal, currency: str) -> str:
    """A price as decks carry it, with two to eight decimals."""
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
    """A total."""
    return money(value.micros, value.currency)


def decimal(value: Decimal | int, digits: int = 0) -> str:
    """A number with grouped thousands, always grouped alike so that columns line up."""
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    return numbers.format_decimal(value, format=pattern, locale=locale())


def percent(part: int, whole: int) -> str:
    """A share with one decimal."""
    share = Decimal(part) / whole if whole else Decimal(0)
    pattern = locale().percent_formats[None].pattern.replace("#,##0", "#,##0.0")
    return numbers.format_percent(share, format=pattern, locale=locale())


def size(count: int) -> str:
    """A number of bytes as people say it: 1.4 GB."""
    value, unit = Decimal(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < BYTES:
            break
        value, unit = value / BYTES, larger
    return f"{decimal(value, 0 if unit == 'B' else 1)}\N{NO-BREAK SPACE}{unit}"


def duration(length: timedelta) -> str:
    """A length of time as people say it: 3 days."""
    return dates.format_timedelta(length, granularity="minute", locale=locale())


def hms(seconds: int) -> str:
    """A duration as 0:07:17."""
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def hm(seconds: int) -> str:
    """A long duration as 4.758 h 46 min."""
    minutes = round(seconds / 60)
    return f"{decimal(minutes // 60)} h {minutes % 60:02} min"


def moment(value: datetime, pattern: str, zone: ZoneInfo) -> str:
    """A time in the site's zone."""
    return dates.format_datetime(value, pattern, tzinfo=zone, locale=locale())


def day(value: date, pattern: str = "d MMM y") -> str:
    """A day."""
    return dates.format_date(value, pattern, locale=locale())


def month(text: str) -> str:
    """A month such as "2026-10"."""
    return dates.format_skeleton("yMMMM", date.fromisoformat(f"{text}-01"), locale=locale())


def zone_name(zone: ZoneInfo) -> str:
    """The zone as people say it: "Madrid time"."""
    if "/" not in zone.key:
        return zone.key
    city = dates.get_timezone_location(zone, locale=locale(), return_city=True)
    return gettext("%(city)s time", city=city)


def query(given: dict[str, str], **change: str) -> str:
    """The query of a URL, without empty values."""
    values = {key: value for key, value in {**given, **change}.items() if value}
    return "?" + urlencode(values) if values else ""


def segment(text: str) -> str:
    """One segment of a path, whatever it contains."""
    return quote(text, safe=":")

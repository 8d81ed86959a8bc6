"""Read the filters of lists from a URL."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec
from sanic import Request

from billing.periods import Period, last_days, month_before, month_period
from billing.queries.paging import Place, decode_place
from billing.values import Refused
from billing.web.kit.i18n import gettext

LONGEST = 100  # characters of a search
DEFAULT_DAYS = 30
LONGEST_DAYS = 3_660  # ten years and their leap days
PLACES = ("after", "before")


class Listing(msgspec.Struct, frozen=True):
    """The parameters of a list in a URL: filters, and the place where the page begins."""

    given: dict[str, str]
    place: Place | None


def read_listing(request: Request[Any, Any], names: tuple[str, ...], key: Any) -> Listing:
    """Return the filters of `names` that a URL has, and the place in the list. Refused if wrong."""
    values = {name: _text(name, str(request.args.get(name, "")).strip()) for name in names}
    after, before = (str(request.args.get(name, "")) for name in PLACES)
    given = {name: value for name, value in values.items() if value}
    return Listing(given, decode_place(after, before, key))


def _text(name: str, value: str) -> str:
    if len(value) > LONGEST:
        raise Refused(
            "The filter %(name)s is longer than %(most)s characters.", name=name, most=LONGEST
        )
    if "\x00" in value:
        raise Refused("The filter %(name)s can't be %(value)s.", name=name, value=repr(value))
    return value


def choice(given: Mapping[str, str], name: str, known: Mapping[str, str]) -> str:
    """Return the parameter `name`; Refused if it is not one of the known codes."""
    value = given.get(name, "")
    if value and value not in known:
        raise Refused("The filter %(name)s can't be %(value)s.", name=name, value=value)
    return value


def read_period(given: dict[str, str], today: date) -> Period:
    """Return the period that a URL requests; without one the last 30 days. Refused if wrong."""
    last = _day(given, "to") or max(today, _day(given, "from") or today)
    first = _day(given, "from") or last_days(last, DEFAULT_DAYS).first
    if first > last:
        raise Refused("The period ends before it begins.")
    if (last - first).days > LONGEST_DAYS:
        raise Refused("A period can't be longer than ten years.")
    return Period(first, last)


def _day(given: dict[str, str], name: str) -> date | None:
    text = given.get(name)
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise Refused("%(text)s is not a date.", text=text) from error
    if not 1970 <= found.year < 9000:  # noqa: PLR2004 -- years that calendars and time zones support
        raise Refused("%(text)s is not a date.", text=text)
    return found


def presets(today: date) -> list[tuple[str, Period]]:
    """Return the usual periods with their labels."""
    month = today.replace(day=1)
    yesterday = date.fromordinal(today.toordinal() - 1)
    return [
        (gettext("Today"), Period(today, today)),
        (gettext("Yesterday"), Period(yesterday, yesterday)),
        (gettext("Last 7 days"), last_days(today, 7)),
        (gettext("Last 30 days"), last_days(today, DEFAULT_DAYS)),
        (gettext("This month"), Period(month, today)),
        (gettext("Last month"), month_period(month_before(today.isoformat()[:7]))),
    ]

"""Reads the filters of the lists from an address, and says them in words."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sanic import Request

from billing.projections.reading.calls import CallFilter, key_type, last_days
from billing.projections.reading.paging import Place, decode_place
from billing.values import Period, Refused
from billing.web import words
from billing.web.formats import day
from billing.web.i18n import gettext

LONGEST = 100  # characters of a search
DEFAULT_DAYS = 30
FILLERS = str.maketrans("", "", " .-()/")  # what people write between the digits of a number
PLACES = ("after", "before")


class Listing(msgspec.Struct, frozen=True):
    """A list as an address asks for it: what was given (without the place), and from where on."""

    given: dict[str, str]
    place: Place | None


def read_listing(request: Request[Any, Any], names: tuple[str, ...], key: Any) -> Listing:
    """The filters of `names` an address gives, and the place in the list it names."""
    values = {name: str(request.args.get(name, "")).strip()[:LONGEST] for name in names}
    after, before = (str(request.args.get(name, "")) for name in PLACES)
    given = {name: value for name, value in values.items() if value}
    return Listing(given, decode_place(after, before, key))


def choice(given: dict[str, str], name: str, known: dict[str, str]) -> str:
    """One of the codes that are known, or nothing."""
    value = given.get(name, "")
    if value and value not in known:
        raise Refused("The filter %(name)s can't be %(value)s.", name=name, value=value)
    return value


CALL_FILTERS = ("from", "to", "q", "class", "company", "device", "result", "status")


def read_call_filter(request: Request[Any, Any], zone: ZoneInfo) -> tuple[CallFilter, Listing]:
    """The filter of the call list; the last 30 days unless a period is given."""
    listing = read_listing(request, CALL_FILTERS, key_type())
    given = listing.given
    today = datetime.now(UTC).astimezone(zone).date()
    return CallFilter(
        period=_period(given, today),
        zone=zone,
        text=_search(given.get("q", "")),
        call_class=choice(given, "class", words.CLASSES),
        company_id=given.get("company", ""),
        device_id=given.get("device", ""),
        result=choice(given, "result", words.RESULTS),
        status=choice(given, "status", words.STATUSES),
    ), listing


def _search(text: str) -> str:
    """A number without what people write between its digits; anything else as it stands."""
    bare = text.translate(FILLERS)
    return bare if bare.removeprefix("+").isdecimal() else text


def _period(given: dict[str, str], today: date) -> Period:
    last = _day(given, "to") or max(today, _day(given, "from") or today)
    first = _day(given, "from") or last_days(last, DEFAULT_DAYS).first
    if first > last:
        raise Refused("The period ends before it begins.")
    return Period(first, last)


def _day(given: dict[str, str], name: str) -> date | None:
    text = given.get(name)
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise Refused("%(text)s is not a day.", text=text) from error
    if not 1970 <= found.year < 9000:  # noqa: PLR2004 -- what calendars and zones agree on
        raise Refused("%(text)s is not a day.", text=text)
    return found


def presets(today: date) -> list[tuple[str, Period]]:
    """The periods people ask for most."""
    month = today.replace(day=1)
    last_of_previous = date.fromordinal(month.toordinal() - 1)
    yesterday = date.fromordinal(today.toordinal() - 1)
    return [
        (gettext("Today"), Period(today, today)),
        (gettext("Yesterday"), Period(yesterday, yesterday)),
        (gettext("Last 7 days"), last_days(today, 7)),
        (gettext("Last 30 days"), last_days(today, DEFAULT_DAYS)),
        (gettext("This month"), Period(month, today)),
        (gettext("Last month"), Period(last_of_previous.replace(day=1), last_of_previous)),
    ]


def describe(wanted: CallFilter, company: str, device: str) -> list[tuple[str, str]]:
    """The filter in words, for the spreadsheet that holds exactly its calls."""
    said = [
        (gettext("From"), day(wanted.period.first)),
        (gettext("To"), day(wanted.period.last)),
        (gettext("Time zone"), wanted.zone.key),
    ]
    chosen = (
        (gettext("Number or extension"), wanted.text),
        (gettext("Class"), words.word(words.CLASSES, wanted.call_class)),
        (gettext("Company"), company),
        (gettext("Device"), device),
        (gettext("Result"), words.word(words.RESULTS, wanted.result)),
        (gettext("Status"), words.word(words.STATUSES, wanted.status)),
    )
    return [*said, *((name, value) for name, value in chosen if value)]

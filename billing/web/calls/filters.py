"""Reads the filters of the call list from an address, and says them in words."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sanic import Request

from billing.queries.call_filter import ANY, NONE, CallFilter
from billing.queries.calls import key_type
from billing.queries.reach import Reach
from billing.values import Refused, decimal_string, parse_micros
from billing.web.kit import words
from billing.web.kit.filters import Listing, choice, read_listing, read_period
from billing.web.kit.formats import day
from billing.web.kit.i18n import gettext
from billing.web.kit.reach import reach_of

FILLERS = str.maketrans("", "", " .-()/")  # what people write between the digits of a number
HOURS = 24
NAMES = (
    "from",
    "to",
    "q",
    "match",
    "class",
    "company",
    "user",
    "gateway",
    "device",
    "extension",
    "area",
    "result",
    "status",
    "least",
    "most",
    "currency",
    "weekday",
    "hour",
)
# Those that stand beneath "More filters".
MORE = ("user", "gateway", "extension", "area", "least", "most", "currency", "weekday", "hour")


def read_call_filter(request: Request[Any, Any], zone: ZoneInfo) -> tuple[CallFilter, Listing]:
    """The filter of the call list; the last 30 days unless a period is given."""
    listing = read_listing(request, NAMES, key_type())
    return call_filter(listing.given, zone, reach_of(request)), listing


def call_filter(given: dict[str, str], zone: ZoneInfo, reach: Reach) -> CallFilter:
    """The filter that the values of an address mean."""
    least, most = _micros(given, "least"), _micros(given, "most")
    if least is not None and most is not None and least > most:
        raise Refused("The least amount is greater than the most.")
    weekday = choice(given, "weekday", words.WEEKDAYS)
    return CallFilter(
        reach=reach,
        period=read_period(given, datetime.now(UTC).astimezone(zone).date()),
        zone=zone,
        text=_search(given.get("q", "")),
        match=choice(given, "match", words.MATCHES),
        call_class=choice(given, "class", {**words.CLASSES, NONE: NONE}),
        company_id=given.get("company", ""),
        user_account=given.get("user", ""),
        gateway_account=given.get("gateway", ""),
        device_id=given.get("device", ""),
        extension=given.get("extension", ""),
        area=given.get("area", ""),
        result=choice(given, "result", words.RESULTS),
        status=choice(given, "status", words.STATUSES),
        currency=given.get("currency", ""),
        least_micros=least,
        most_micros=most,
        weekday=int(weekday) if weekday else None,
        hour=_hour(given),
    )


def _search(text: str) -> str:
    """A number without what people write between its digits; anything else as it stands."""
    bare = text.translate(FILLERS)
    return bare if bare.removeprefix("+").isdecimal() else text


def _micros(given: dict[str, str], name: str) -> int | None:
    text = given.get(name)
    return parse_micros(text.replace(",", ".")) if text else None


def _hour(given: dict[str, str]) -> int | None:
    text = given.get("hour", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text) < HOURS):
        raise Refused("The filter %(name)s can't be %(value)s.", name="hour", value=text)
    return int(text)


def describe(wanted: CallFilter, names: dict[str, str]) -> list[tuple[str, str]]:
    """The filter in words, for the spreadsheet that holds exactly its calls.

    `names` are those of accounts (by stream) and devices (by "device:…").
    """
    said = [
        (gettext("From"), day(wanted.period.first)),
        (gettext("To"), day(wanted.period.last)),
    ]
    amounts = {
        gettext("Amount from"): wanted.least_micros,
        gettext("Amount up to"): wanted.most_micros,
    }
    chosen = (
        (gettext("Number or extension"), wanted.text),
        (gettext("Match"), words.word(words.MATCHES, wanted.match)),
        (gettext("Class"), _account(wanted.call_class, _words(words.CLASSES))),
        (gettext("Company"), names.get(f"company:{wanted.company_id}", wanted.company_id)),
        (gettext("User account"), _account(wanted.user_account, names)),
        (gettext("Gateway account"), _account(wanted.gateway_account, names)),
        (gettext("Device"), names.get(f"device:{wanted.device_id}", wanted.device_id)),
        (gettext("Extension"), wanted.extension),
        (gettext("Destination"), _account(wanted.area, {})),
        (gettext("Result"), words.word(words.RESULTS, wanted.result)),
        (gettext("Status"), words.word(words.STATUSES, wanted.status)),
        (gettext("Currency"), wanted.currency),
        *((name, _plain(micros)) for name, micros in amounts.items()),
        (gettext("Weekday"), words.word(words.WEEKDAYS, str(wanted.weekday or ""))),
        (gettext("Hour"), "" if wanted.hour is None else f"{wanted.hour:02}:00"),
    )
    return [*said, *((name, value) for name, value in chosen if value)]


def _words(known: dict[str, str]) -> dict[str, str]:
    return dict(words.choices(known))


def _account(value: str, names: dict[str, str]) -> str:
    special = {ANY: gettext("any"), NONE: gettext("none")}
    return special.get(value, names.get(value, value))


def _plain(micros: int | None) -> str:
    return "" if micros is None else decimal_string(micros)

"""The filters of the call list: how each is read from a URL and described in words.

A new one is a line of FILTERS here, its input in templates/calls/calls.html, and a field of
CallFilter with its condition.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sanic import Request

from billing.queries.call_filter import ANY, NONE, CallFilter
from billing.queries.calls import key_type
from billing.queries.reach import Reach
from billing.values import Refused, decimal_string, parse_micros
from billing.web.kit import words
from billing.web.kit.filters import Listing, choice, read_listing, read_period
from billing.web.kit.formats import day
from billing.web.kit.i18n import N_, gettext
from billing.web.kit.reach import reach_of

FILLERS = str.maketrans("", "", " .-()/")  # separators that people write in numbers
HOURS = 24
Given = Mapping[str, str]  # the parameters of a URL
Names = Mapping[str, str]  # of accounts by their ids, of devices by "device:…"


def _as_given(given: Given, name: str) -> str:
    return given.get(name, "")


def _searched(given: Given, name: str) -> str:
    """Return a number without separators; other text unchanged."""
    text = given.get(name, "")
    bare = text.translate(FILLERS)
    return bare if bare.removeprefix("+").isdecimal() else text


def _one_of(known: Mapping[str, str]) -> Callable[[Given, str], str]:
    return partial(choice, known=known)


def _micros(given: Given, name: str) -> int | None:
    text = given.get(name)
    return parse_micros(text.replace(",", ".")) if text else None


def _weekday(given: Given, name: str) -> int | None:
    return int(choice(given, name, words.WEEKDAYS)) if given.get(name) else None


def _hour(given: Given, name: str) -> int | None:
    text = given.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text) < HOURS):
        raise Refused("The filter %(name)s can't be %(value)s.", name=name, value=text)
    return int(text)


def _say_text(value: Any, _names: Names) -> str:
    return str(value)


def _say_word(known: Mapping[str, str]) -> Callable[[Any, Names], str]:
    return lambda value, _names: words.word(known, str(value))


def _say_named(kind: str) -> Callable[[Any, Names], str]:
    return lambda value, names: names.get(f"{kind}:{value}", value)


def _say_present(value: Any, names: Names) -> str:
    """Describe a filter whose value may be "any" or "none"."""
    special = {ANY: gettext("any"), NONE: gettext("none")}
    return special.get(value) or names.get(value, value)


def _say_class(value: Any, _names: Names) -> str:
    return _say_present(value, dict(words.choices(words.CLASSES)))


def _say_amount(value: Any, _names: Names) -> str:
    return decimal_string(value)


def _say_hour(value: Any, _names: Names) -> str:
    return f"{value:02}:00"


class Filter(msgspec.Struct, frozen=True):
    """A filter: its name in a URL, its label, and the field of CallFilter that it sets.

    `read` raises Refused for an invalid value; `say` describes a value that is set.
    """

    name: str
    label: str
    field: str
    read: Callable[[Given, str], Any] = _as_given
    say: Callable[[Any, Names], str] = _say_text
    more: bool = False  # whether it is under "More filters"


CLASSES = words.CLASSES | {NONE: NONE}
FILTERS = (
    Filter("q", N_("Number or extension"), "text", _searched),
    Filter("match", N_("Match"), "match", _one_of(words.MATCHES), _say_word(words.MATCHES)),
    Filter("class", N_("Class"), "call_class", _one_of(CLASSES), _say_class),
    Filter("company", N_("Company"), "company_id", say=_say_named("company")),
    Filter("user", N_("User account"), "user_account", say=_say_present, more=True),
    Filter("gateway", N_("Gateway account"), "gateway_account", say=_say_present, more=True),
    Filter("device", N_("Device"), "device_id", say=_say_named("device")),
    Filter("extension", N_("Extension"), "extension", more=True),
    Filter("area", N_("Destination"), "area", say=_say_present, more=True),
    Filter("result", N_("Result"), "result", _one_of(words.RESULTS), _say_word(words.RESULTS)),
    Filter("status", N_("Status"), "status", _one_of(words.STATUSES), _say_word(words.STATUSES)),
    Filter("currency", N_("Currency"), "currency", more=True),
    Filter("least", N_("Amount from"), "least_micros", _micros, _say_amount, more=True),
    Filter("most", N_("Amount up to"), "most_micros", _micros, _say_amount, more=True),
    Filter("weekday", N_("Weekday"), "weekday", _weekday, _say_word(words.WEEKDAYS), more=True),
    Filter("hour", N_("Hour"), "hour", _hour, _say_hour, more=True),
)
NAMES = ("from", "to", *(each.name for each in FILTERS))
MORE = tuple(each.name for each in FILTERS if each.more)


def read_call_filter(request: Request[Any, Any], zone: ZoneInfo) -> tuple[CallFilter, Listing]:
    """Return the filter of the call list; without a period the last 30 days."""
    listing = read_listing(request, NAMES, key_type())
    return call_filter(listing.given, zone, reach_of(request)), listing


def call_filter(given: dict[str, str], zone: ZoneInfo, reach: Reach) -> CallFilter:
    """Return the filter that the parameters of a URL request."""
    wanted = CallFilter(
        reach=reach,
        period=read_period(given, datetime.now(UTC).astimezone(zone).date()),
        zone=zone,
        **{each.field: each.read(given, each.name) for each in FILTERS},
    )
    least, most = wanted.least_micros, wanted.most_micros
    if least is not None and most is not None and least > most:
        raise Refused("The minimum amount is greater than the maximum.")
    return wanted


def describe(wanted: CallFilter, names: Names) -> list[tuple[str, str]]:
    """Describe the filter in words, for the spreadsheet with its calls."""
    said = [
        (gettext("From"), day(wanted.period.first)),
        (gettext("To"), day(wanted.period.last)),
    ]
    for each in FILTERS:
        value = getattr(wanted, each.field)
        if value not in ("", None):
            said.append((gettext(each.label), each.say(value, names)))
    return said

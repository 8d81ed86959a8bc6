"""The price of an example call by a rate that may not be saved yet: a sentence and each step."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from billing.rating.chain import charge_by
from billing.rating.context import Draft, Suspend
from billing.rating.rates import Rate, compile_rate
from billing.values import decimal_string
from billing.web.kit import formats
from billing.web.kit.explain import explain
from billing.web.kit.forms import Form
from billing.web.kit.i18n import gettext

SECONDS = 200
LONGEST = 30 * 86_400
TUESDAY, HOUR, MINUTE = 1, 19, 30


class Example(msgspec.Struct, frozen=True):
    said: str
    steps: list[str]


def give_example(rate: Rate, currency: str, zone: ZoneInfo, form: Form) -> Example:
    """Rate a call with the form's length and time; by default 3 min 20 s on a Tuesday evening."""
    seconds = seconds_of(form.given.get("example_length", "")) or SECONDS
    moment = form.moment("example_at", zone) or next_tuesday(datetime.now(UTC), zone)
    told = {
        "length": length(seconds),
        "day": formats.long_day(moment, zone),
        "time": formats.moment(moment, "HH:mm", zone),
    }
    draft = Draft(company_id="", flags=())
    try:
        charge_by(compile_rate(rate), moment, zone, seconds * 1000, draft)
    except Suspend:
        said = gettext(
            "A call of %(length)s on %(day)s at %(time)s has no price: no band covers it.", **told
        )
        return Example(said, [])
    told["amount"] = formats.price(decimal_string(draft.amount_micros), currency)
    said = gettext("A call of %(length)s on %(day)s at %(time)s costs %(amount)s.", **told)
    return Example(said, explain(draft.steps, currency, {}))


def next_tuesday(now: datetime, zone: ZoneInfo) -> datetime:
    """Return the next Tuesday at 19:30 local time, which most evening bands contain."""
    local = now.astimezone(zone).replace(hour=HOUR, minute=MINUTE, second=0, microsecond=0)
    return (local + timedelta(days=(TUESDAY - local.weekday()) % 7)).astimezone(UTC)


def seconds_of(text: str) -> int:
    """Return the seconds of "3:20", "1:02:03" or "200"; 0 for any other text."""
    if not re.fullmatch(r"[0-9]{1,7}(:[0-9]{1,2}){0,2}", text):
        return 0
    seconds = 0
    for part in text.split(":"):
        seconds = seconds * 60 + int(part)
    return min(seconds, LONGEST)


def length(seconds: int) -> str:
    """Return a length in words, such as "3 min 20 s"."""
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{n} {unit}" for n, unit in parts if n) or "0 s"

"""The view of the statistics page that a URL requests, and its figures in the page's order."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

import msgspec

from billing.periods import Period, period_before
from billing.queries.call_filter import NONE
from billing.queries.reach import Reach
from billing.queries.statistics import Figures, Grain, Ranking, Split, StatisticsFilter
from billing.values import Money
from billing.web.kit import formats, words
from billing.web.kit.charts import MEASURES
from billing.web.kit.filters import choice, read_period
from billing.web.kit.i18n import N_, gettext

NAMES = ("by", "from", "to", "company", "account", "grain", "measure", "currency")
KINDS = {"company": N_("By company"), "user": N_("By user"), "gateway": N_("By gateway")}
GRAINS = {"hour": N_("Hours"), "day": N_("Days"), "week": N_("Weeks"), "month": N_("Months")}
LONGEST = {"hour": 16, "day": 400, "week": 2_800, "month": 100_000}  # days with a bar each
USUAL = {"hour": 2, "day": 62, "week": 370}
CLASSES = ("local", "national", "international", "internal", "special", "")
HOURS = 24


class View(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of a statistics page."""

    wanted: StatisticsFilter
    grain: Grain
    measure: str
    currency: str = ""  # "" = the currency with the highest amount
    given: dict[str, str] = {}

    @property
    def before(self) -> StatisticsFilter:
        """The same filter for the previous period."""
        return msgspec.structs.replace(self.wanted, period=period_before(self.wanted.period))


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """A bar of the chart by period."""

    label: str
    short: str
    split: Split
    link: dict[str, str]


def read_view(given: dict[str, str], zone: ZoneInfo, reach: Reach) -> View:
    """Return the view that the parameters of a URL request."""
    period = read_period(given, datetime.now(UTC).astimezone(zone).date())
    kind: Any = choice(given, "by", KINDS) or "company"
    grain: Any = choice(given, "grain", GRAINS)
    return View(
        wanted=StatisticsFilter(
            reach=reach,
            kind=kind,
            period=period,
            zone=zone,
            company_id=given.get("company", ""),
            account=given.get("account", "") if kind != "company" else "",
        ),
        grain=_fitting(grain, (period.last - period.first).days + 1),
        measure=choice(given, "measure", MEASURES) or "amount",
        currency=given.get("currency", ""),
        given=given,
    )


def _fitting(grain: Grain | None, days: int) -> Grain:
    """Return the requested or the usual grain; a coarser one if there were too many bars."""
    if not grain:
        return next((each for each in get_args(Grain) if days <= USUAL.get(each, days)), "month")
    finer = get_args(Grain).index(grain)
    fitting = (each for each in get_args(Grain)[finer:] if days <= LONGEST[each])
    return next(fitting, "month")


def main_currency(total: Figures, chosen: str) -> str:
    """Return the currency of the charts: the chosen one, or the one with the highest amount."""
    if chosen in total.amounts:
        return chosen
    return max(total.amounts, key=lambda each: total.amounts[each], default="")


def total_of(found: dict[Any, Split]) -> Split:
    """Return the sum of splits."""
    total = Split()
    for split in found.values():
        for call_class, figures in split.classes.items():
            _add(total, call_class, figures)
    return total


def _add(total: Split, call_class: str, figures: Figures) -> None:
    for part in (total.total, total.classes.setdefault(call_class, Figures())):
        part.calls += figures.calls
        part.answered += figures.answered
        part.talk_ms += figures.talk_ms
        part.billed_seconds += figures.billed_seconds
        for currency, micros in figures.amounts.items():
            part.amounts[currency] = part.amounts.get(currency, 0) + micros


def rest_of(total: Split, ranking: Ranking) -> Split:
    """Return the total without the accounts of a ranking; without currencies that come to zero."""
    rest = total_of({"": total})
    for row in ranking.rows:
        for call_class, figures in row.split.classes.items():
            negative = Figures(
                calls=-figures.calls,
                answered=-figures.answered,
                talk_ms=-figures.talk_ms,
                billed_seconds=-figures.billed_seconds,
                amounts={key: -micros for key, micros in figures.amounts.items()},
            )
            _add(rest, call_class, negative)
    for part in (rest.total, *rest.classes.values()):
        part.amounts = {key: micros for key, micros in part.amounts.items() if micros}
    return rest


def together(parts: Iterable[Figures]) -> Figures:
    """Return the sum of figures."""
    total = Split()
    for figures in parts:
        _add(total, "", figures)
    return total.total


def classes_of(total: Split) -> list[tuple[str, str]]:
    """Return the classes that have calls, with their labels."""
    return [
        (code, words.word(words.CLASSES, code) if code else gettext("Without class"))
        for code in CLASSES
        if code in total.classes and total.classes[code].calls
    ]


def buckets(view: View, found: dict[tuple[date, int], Split]) -> list[Bucket]:
    """Return a bucket for every hour, day, week or month of the period, also for empty ones."""
    made = []
    for first, last, hour in _spans(view.wanted.period, view.grain):
        key = first
        if view.grain == "week":
            key = first - timedelta(days=first.weekday())
        elif view.grain == "month":
            key = first.replace(day=1)
        link = {"from": str(first), "to": str(last)}
        if view.grain == "hour":
            link["hour"] = str(hour)
        label, short = _labels(view.grain, first, last, hour)
        split = found.get((key, hour), Split())
        made.append(Bucket(label=label, short=short, split=split, link=link))
    return made


def _spans(period: Period, grain: Grain) -> Iterator[tuple[date, date, int]]:
    day = period.first
    while day <= period.last:
        last = day
        if grain == "week":
            last = day + timedelta(days=6 - day.weekday())
        elif grain == "month":
            last = (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        last = min(last, period.last)
        for hour in range(HOURS if grain == "hour" else 1):
            yield day, last, hour
        day = last + timedelta(days=1)


def _labels(grain: Grain, first: date, last: date, hour: int) -> tuple[str, str]:
    """Return the long label of a bar, and the short one below it."""
    if grain == "hour":
        return f"{formats.weekday(first)}, {hour:02}:00", f"{hour:02}:00"
    if grain == "week":
        both = f"{formats.day(first, 'd MMM')} \N{EN DASH} {formats.day(last)}"
        return both, formats.day(first, "d MMM")
    if grain == "month":
        return formats.month(f"{first:%Y-%m}"), formats.day(first, "LLL yy")
    return formats.weekday(first), formats.day(first, "d MMM")


def calls_link(view: View) -> dict[str, str]:
    """Return the filter of the call list that has exactly the calls of the page's figures."""
    wanted = view.wanted
    link = {"from": str(wanted.period.first), "to": str(wanted.period.last), "status": "charged"}
    if wanted.company_id:
        link["company"] = wanted.company_id
    if wanted.kind != "company":
        link[wanted.kind] = wanted.account or "*"
    return link


def amounts_of(figures: Figures) -> list[Money]:
    """Return the amounts, one for each currency."""
    return [Money(micros, currency) for currency, micros in sorted(figures.amounts.items())]


def class_link(code: str) -> str:
    """Return a class as the filter of the call list names it."""
    return code or NONE

"""Convert a rate into form fields and back: fields, rows of tiers, boxes of bands."""

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import cast
from zoneinfo import ZoneInfo

from billing.rating.rates import CLASSES, Band, Rate, Rounding, Tier, validate_rate
from billing.values import MICROS, Refused, possible_price
from billing.web.kit import words
from billing.web.kit.forms import Form
from billing.web.kit.i18n import gettext

MOST_ROWS = 20
UNITS = ("60", "1", "3600")
KINDS = {"p": "prefix", "a": "area", "c": "call_class"}


def form_of_rate(rate: Rate, zone: ZoneInfo) -> Form:
    """Return the form of a rate."""
    kind = "p" if rate.prefix else "a" if rate.area else "c"
    since = rate.effective_from
    given = {
        "kind": kind,
        "value": rate.prefix or rate.area,
        "class": rate.call_class,
        "name": rate.name,
        "effective_from": since.astimezone(zone).date().isoformat() if since else "",
        "connect_fee": "" if rate.connect_fee == "0" else rate.connect_fee,
        "free_below_s": str(rate.free_below_s or ""),
        "min_cost": rate.min_cost,
        "max_cost": rate.max_cost,
        "decimals": str(rate.decimals),
        "rounding": rate.rounding,
        "band_policy": rate.band_policy,
    }
    sent: dict[str, list[str]] = {}
    if rate.forbidden:
        given["forbidden"] = "yes"
    given |= _tier_fields("t", rate.tiers)
    for place, band in enumerate(rate.bands):
        own = f"b{place}_"
        given |= {
            own + "name": band.name,
            own + "dates": " ".join(band.dates),
            own + "from": band.from_time[:5],
            own + "to": "00:00" if band.to_time.startswith("24") else band.to_time[:5],
            own + "weight": str(band.weight or ""),
            own + "fee": band.connect_fee,
        }
        given |= _tier_fields(own + "t", band.tiers)
        sent[own + "days"] = [str(day) for day in band.days]
    return Form(given, sent)


def _tier_fields(own: str, tiers: tuple[Tier, ...]) -> dict[str, str]:
    return {
        f"{own}{place}_{name}": str(value)
        for place, tier in enumerate(tiers)
        for name, value in (
            ("after", tier.from_s),
            ("price", tier.price),
            ("unit", tier.unit_s),
            ("step", tier.increment_s),
        )
    }


def tier_rows(form: Form, own: str, more: str = "") -> int:
    """Return how many rows of tiers to show: the given ones, at least one, one more on request."""
    given = next(place for place in count() if f"{own}{place}_price" not in form.given)
    return min(max(given, 1) + (more == own), MOST_ROWS)


def band_rows(form: Form, more: str = "") -> int:
    """Return how many bands to show."""
    given = next(place for place in count() if f"b{place}_name" not in form.given)
    return min(given + (more == "band"), MOST_ROWS)


def read_rate(form: Form, zone: ZoneInfo) -> Rate | None:
    """Return the rate of a form; None if it has errors, which the form then holds."""
    kind = form.choice("kind", KINDS)
    call_class = form.choice("class", CLASSES) if kind == "c" else ""
    value = form.text("value") if kind in ("p", "a") else ""
    prefix = value.removeprefix("+").replace(" ", "") if kind == "p" else ""
    rate = Rate(
        name=form.text("name", required=False) or value or call_class,
        prefix=prefix,
        call_class=call_class,
        area=value if kind == "a" else "",
        effective_from=form.begin_of_day("effective_from", zone),
        connect_fee=_price(form, "connect_fee") or "0",
        tiers=_read_tiers(form, "t"),
        bands=_read_bands(form),
        band_policy="split" if form.given.get("band_policy") == "split" else "start",
        free_below_s=form.whole("free_below_s", most=86_400),
        min_cost=_price(form, "min_cost"),
        max_cost=_price(form, "max_cost"),
        decimals=form.whole("decimals", most=6, empty=4),
        rounding=cast("Rounding", form.choice("rounding", words.ROUNDINGS) or "half_up"),
        forbidden=form.checked("forbidden"),
    )
    if form.errors:
        return None
    try:
        validate_rate(rate)
    except Refused as refusal:
        form.refuse(refusal)
        return None
    return rate


def _price(form: Form, name: str) -> str:
    text = form.given.get(name, "")
    if not text:
        return ""
    try:
        return possible_price(text)
    except Refused as refusal:
        form.refuse(refusal, name)
        return ""


def _read_tiers(form: Form, own: str) -> tuple[Tier, ...]:
    return tuple(
        Tier(
            from_s=form.whole(f"{own}{place}_after", most=10**6),
            price=_price(form, f"{own}{place}_price"),
            unit_s=form.whole(f"{own}{place}_unit", least=1, most=86_400, empty=60),
            increment_s=form.whole(f"{own}{place}_step", least=1, most=86_400, empty=1),
        )
        for place in range(tier_rows(form, own))
        if form.given.get(f"{own}{place}_price")
    )


def _read_bands(form: Form) -> tuple[Band, ...]:
    bands = list[Band]()
    for place in range(band_rows(form)):
        own = f"b{place}_"
        tiers = _read_tiers(form, own + "t")
        if not form.given.get(own + "name") and not tiers:
            continue
        if not tiers:
            form.errors.setdefault(f"{own}t0_price", gettext("Required"))
            continue
        until = form.given.get(own + "to") or "24:00"
        bands.append(
            Band(
                name=form.text(own + "name"),
                days=tuple(int(day) for day in form.many(own + "days") if day in words.WEEKDAYS),
                dates=_read_dates(form, own + "dates"),
                from_time=(form.given.get(own + "from") or "00:00") + ":00",
                to_time=("24:00" if until == "00:00" else until) + ":00",
                weight=form.whole(own + "weight", most=1000),
                tiers=tiers,
                connect_fee=_price(form, own + "fee"),
            )
        )
    return tuple(bands)


def _read_dates(form: Form, name: str) -> tuple[str, ...]:
    found = list[str]()
    for text in form.text(name, required=False, longest=2000).replace(",", " ").split():
        try:
            found.append(date.fromisoformat(text).isoformat())
        except ValueError:
            form.errors[name] = gettext("%(text)s is not a date.", text=text)
    return tuple(found)


def midnight_of(now: datetime, zone: ZoneInfo) -> datetime:
    """Return the UTC time at which the local day of a moment began."""
    local = now.astimezone(zone)
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def micros_of(price: Decimal | None) -> int | None:
    """Return a price in micro-units; None for None."""
    return None if price is None else int(price * MICROS)


def target_words(target: str) -> str:
    """Return what a price is for: a prefix, an area, or a class in words."""
    kind, value = target[:1], target[2:]
    return words.word(words.RATE_CLASSES, value) if kind == "c" else value

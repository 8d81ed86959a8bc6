"""Rates: single prices as events hold them, and the group that selects among them.

No object here can be part of a cycle: `gc=False` lets the collector skip decks of 100,000 rates.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Literal

import msgspec

from billing.rating.prefixes import PrefixTable
from billing.values import MOST_PRICE, PRICE_UNITS, Refused, is_digits, parse_price

Rounding = Literal["half_up", "up", "down", "half_even"]
CLASSES = ("internal", "local", "national", "international", "inbound")
MOST_DECIMALS = 6  # amounts are integer micro-units
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
DAY_SECONDS = 86_400
LONGEST_PREFIX = 18
SUNDAY = 7


class Tier(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """A price per unit, charged in whole increments, from a second of the call on."""

    from_s: int = 0
    price: str  # decimal, in the group's currency
    unit_s: int = 60
    increment_s: int = 1


class Band(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """Other tiers at some local hours of some days; if bands overlap, the highest weight wins."""

    name: str
    days: tuple[int, ...] = ()  # ISO weekdays, 1 = Monday; () = every day
    dates: tuple[str, ...] = ()  # "2026-12-25"; () = every date
    from_time: str = "00:00:00"
    to_time: str = "24:00:00"  # exclusive
    weight: int = 0
    tiers: tuple[Tier, ...]
    connect_fee: str = ""  # "" = the fee of the rate


class Rate(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """The price of a prefix, an area or a class of calls, from `effective_from` on."""

    name: str
    prefix: str = ""
    call_class: str = ""
    area: str = ""
    effective_from: datetime | None = None  # None: from the beginning
    connect_fee: str = "0"  # charged once, unless the call is free
    tiers: tuple[Tier, ...] = ()  # for times outside all bands
    bands: tuple[Band, ...] = ()
    band_policy: Literal["start", "split"] = "start"
    free_below_s: int = 0
    min_cost: str = ""
    max_cost: str = ""
    decimals: int = 4
    rounding: Rounding = "half_up"
    forbidden: bool = False


class RateKey(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """Identifies a version of a price, at most one of a group."""

    prefix: str = ""
    call_class: str = ""
    area: str = ""
    effective_from: datetime | None = None


Target = tuple[str, str, str]  # (prefix, class, area) of a price; one of them is set
Key = tuple[str, str, str, datetime | None]


def key_of(rate: Rate | RateKey) -> Key:
    """Return the lookup key of a price."""
    return (rate.prefix, rate.call_class, rate.area, rate.effective_from)


def target_of(rate: Rate | RateKey) -> str:
    """Return what a price is for, as one text."""
    if rate.prefix:
        return f"p:{rate.prefix}"
    return f"c:{rate.call_class}" if rate.call_class else f"a:{rate.area}"


def key_of_target(target: str, effective_from: datetime | None) -> RateKey:
    """The key of a price from its text."""
    kind, _, value = target.partition(":")
    return RateKey(
        prefix=value if kind == "p" else "",
        call_class=value if kind == "c" else "",
        area=value if kind == "a" else "",
        effective_from=effective_from,
    )


def validate_rate(rate: Rate) -> None:
    """Refuse an invalid rate; checks its own fields, then tiers and bands."""
    if sum(map(bool, (rate.prefix, rate.call_class, rate.area))) != 1:
        raise Refused("%(name)s: a rate needs a prefix, a class or an area.", name=rate.name)
    if rate.prefix and not is_digits(rate.prefix):
        raise Refused("%(name)s: the prefix must have digits only.", name=rate.name)
    if len(rate.prefix) > LONGEST_PREFIX:
        raise Refused(
            "%(name)s: a prefix has at most %(most)s digits.", name=rate.name, most=LONGEST_PREFIX
        )
    if rate.call_class and rate.call_class not in CLASSES:
        raise Refused("%(name)s: unknown class.", name=rate.name)
    if not 0 <= rate.decimals <= MOST_DECIMALS or rate.free_below_s < 0:
        raise Refused("%(name)s: amounts have 0 to 6 decimals.", name=rate.name)
    if not (rate.tiers or rate.bands or rate.forbidden):
        raise Refused("%(name)s: the price is missing.", name=rate.name)
    for fee in (rate.connect_fee, rate.min_cost, rate.max_cost):
        _check_price(rate.name, fee or "0")
    if rate.tiers:
        _check_tiers(rate.name, rate.tiers)
    for band in rate.bands:
        _check_band(rate.name, band)
    _check_overlaps(rate)


def _check_band(name: str, band: Band) -> None:
    _check_tiers(name, band.tiers)
    _check_price(name, band.connect_fee or "0")
    seconds_of_day(band.from_time)
    seconds_of_day(band.to_time)
    for day in band.dates:
        _check_date(name, day)
    for weekday in band.days:
        if not 1 <= weekday <= SUNDAY:
            raise Refused("%(name)s: %(day)s is not a date.", name=name, day=weekday)


def _check_price(name: str, price: str) -> None:
    units = parse_price(price)
    if units < 0:
        raise Refused("%(name)s: the price can't be negative.", name=name)
    if units > MOST_PRICE * PRICE_UNITS:
        raise Refused("%(name)s: the price can't exceed %(most)s.", name=name, most=MOST_PRICE)


def _check_date(name: str, day: str) -> None:
    try:
        date.fromisoformat(day)
    except ValueError as error:
        raise Refused("%(name)s: %(day)s is not a date.", name=name, day=day) from error


def _check_tiers(name: str, tiers: tuple[Tier, ...]) -> None:
    if not tiers or tiers[0].from_s != 0:
        raise Refused("%(name)s: the first tier must begin at second 0.", name=name)
    if any(b.from_s <= a.from_s for a, b in pairwise(tiers)):
        raise Refused("%(name)s: each tier must begin after the one before.", name=name)
    _check_units(name, tiers)
    for tier in tiers:
        _check_price(name, tier.price)


def _check_units(name: str, tiers: Iterable[Tier]) -> None:
    if any(tier.unit_s < 1 or tier.increment_s < 1 for tier in tiers):
        raise Refused("%(name)s: units and increments must be at least 1 s.", name=name)


def _check_overlaps(rate: Rate) -> None:
    for index, band in enumerate(rate.bands):
        for other in rate.bands[index + 1 :]:
            if band.weight == other.weight and _meet(band, other):
                raise Refused(
                    "%(name)s: the bands %(one)s and %(other)s overlap; give one a higher "
                    "priority.",
                    name=rate.name,
                    one=band.name,
                    other=other.name,
                )


def _meet(one: Band, other: Band) -> bool:
    return any(
        a.begin < b.end
        and b.begin < a.end
        and (not a.days or not b.days or bool(a.days & b.days))
        and (not a.dates or not b.dates or bool(a.dates & b.dates))
        and _share_a_day(a, b)
        for a in _pieces(one)
        for b in _pieces(other)
    )


class Piece(msgspec.Struct, gc=False, frozen=True):
    """The part of a band within one day: seconds since midnight, `end` exclusive."""

    days: frozenset[int]
    dates: frozenset[str]
    begin: int
    end: int


def _share_a_day(one: Piece, other: Piece) -> bool:
    """Whether the dates of one fall on weekdays of the other."""
    for dates, days in ((one.dates, other.days), (other.dates, one.days)):
        if dates and days and not any(date.fromisoformat(d).isoweekday() in days for d in dates):
            return False
    return True


def _pieces(band: Band) -> list[Piece]:
    """Split a band at midnight: the part after it is on the day after the band's days."""
    begin, end = seconds_of_day(band.from_time), seconds_of_day(band.to_time)
    days, dates = frozenset(band.days), frozenset(band.dates)
    if begin < end:
        return [Piece(days, dates, begin, end)]
    evening = Piece(days, dates, begin, DAY_SECONDS)
    if not end:
        return [evening]
    next_days = frozenset(day % SUNDAY + 1 for day in days)
    next_dates = frozenset(
        (date.fromisoformat(day) + timedelta(days=1)).isoformat() for day in dates
    )
    return [evening, Piece(next_days, next_dates, 0, end)]


def seconds_of_day(text: str) -> int:
    """Parse "HH:MM" or "HH:MM:SS" into seconds since midnight; "24:00:00" is the end of the day."""
    if text in ("24:00", "24:00:00"):
        return DAY_SECONDS
    try:
        at = time.fromisoformat(text)
    except ValueError as error:
        raise Refused("%(text)s is not a time of day.", text=repr(text)) from error
    return at.hour * 3600 + at.minute * 60 + at.second


class CompiledTier(msgspec.Struct, gc=False, frozen=True):
    """A tier with its price as an integer of 10^-8."""

    from_s: int
    price: int
    unit_s: int
    increment_s: int
    step: tuple[str, str, str]  # price, unit and increment, as shown in a step


class CompiledBand(msgspec.Struct, gc=False, frozen=True):
    """A part of a band within one day; a band over midnight becomes two."""

    name: str
    when: Piece
    tiers: tuple[CompiledTier, ...]
    connect_fee: int


class CompiledRate(msgspec.Struct, gc=False, frozen=True):
    """A rate prepared for charging; `bands` are sorted by weight, the rate's own tiers last."""

    rate: Rate
    connect_fee: int
    bands: tuple[CompiledBand, ...]
    bounds: tuple[int, ...]  # seconds of the day at which a band may begin or end
    flat: CompiledTier | None  # the only tier, if there are no bands (most rates of a deck)
    min_cost: int | None
    max_cost: int | None
    step: tuple[str, ...]  # the step that names the rate


ALL_DAY = Piece(frozenset(), frozenset(), 0, DAY_SECONDS)


def compile_rate(rate: Rate) -> CompiledRate:
    """Prepare a rate for charging; prices become integers of 10^-8. Refused if it can't charge."""
    _check_units(rate.name, [*rate.tiers, *(tier for band in rate.bands for tier in band.tiers)])
    fee = parse_price(rate.connect_fee)
    bands = [
        CompiledBand(
            band.name,
            piece,
            _compile_tiers(band.tiers),
            parse_price(band.connect_fee) if band.connect_fee else fee,
        )
        for band in sorted(rate.bands, key=lambda band: -band.weight)
        for piece in _pieces(band)
    ]
    if rate.tiers:
        bands.append(CompiledBand("", ALL_DAY, _compile_tiers(rate.tiers), fee))
    only = bands[0].tiers if rate.tiers and not rate.bands else ()
    since = rate.effective_from
    covers = rate.prefix or rate.call_class or rate.area
    return CompiledRate(
        rate=rate,
        connect_fee=fee,
        bands=tuple(bands),
        bounds=tuple(sorted({0, *(s for b in bands for s in (b.when.begin, b.when.end))})),
        flat=only[0] if len(only) == 1 else None,
        min_cost=parse_price(rate.min_cost) if rate.min_cost else None,
        max_cost=parse_price(rate.max_cost) if rate.max_cost else None,
        step=("rate", rate.name, covers, f"{since:%Y-%m-%d}" if since else ""),
    )


def _compile_tiers(tiers: tuple[Tier, ...]) -> tuple[CompiledTier, ...]:
    return tuple(
        CompiledTier(
            tier.from_s,
            parse_price(tier.price),
            tier.unit_s,
            tier.increment_s,
            (tier.price, str(tier.unit_s), str(tier.increment_s)),
        )
        for tier in tiers
    )


class Version(msgspec.Struct, gc=False):
    """A version of a price, compiled at its first use; a RateKey ends the price before it."""

    rate: Rate | RateKey
    compiled: CompiledRate | None = None

    def ready(self) -> CompiledRate | None:
        """Return the compiled rate; None if the version ends the price."""
        if self.compiled is None and isinstance(self.rate, Rate):
            self.compiled = compile_rate(self.rate)
        return self.compiled

    def in_force(self, at: datetime) -> bool:
        """Whether it is in force at `at`, unless a later version replaces it."""
        since = self.rate.effective_from
        return since is None or since <= at


class RateGroup:
    """The rates of a group, for lookup. Immutable; `with_changes` returns the next state."""

    def __init__(
        self, group_id: str, name: str, currency: str, rates: Iterable[Rate | RateKey] = ()
    ) -> None:
        self.group_id, self.name, self.currency = group_id, name, currency
        self._rates = {key_of(rate): rate for rate in rates}
        by_prefix: dict[str, list[Rate | RateKey]] = {}
        others: dict[tuple[str, str], list[Rate | RateKey]] = {}
        for rate in self._rates.values():
            if rate.prefix:
                by_prefix.setdefault(rate.prefix, []).append(rate)
            else:
                others.setdefault((rate.call_class, rate.area), []).append(rate)
        self._prefixes = PrefixTable({p: _newest_first(found) for p, found in by_prefix.items()})
        self._others = {key: _newest_first(found) for key, found in others.items()}

    def with_changes(
        self, changes: Iterable[Rate | RateKey], removed: Iterable[RateKey] = ()
    ) -> "RateGroup":
        """Return the group after prices were set, ended (a RateKey) or removed."""
        gone = {key_of(key) for key in removed}
        kept = (rate for key, rate in self._rates.items() if key not in gone)
        return RateGroup(self.group_id, self.name, self.currency, [*kept, *changes])

    def renamed(self, name: str) -> "RateGroup":
        """Return the group with another name."""
        return RateGroup(self.group_id, name, self.currency, self._rates.values())

    def by_prefix(self, number: str, at: datetime) -> CompiledRate | None:
        """Return the rate of the longest prefix with a price in force; None if there is none."""
        versions = self._prefixes.find(number)
        if versions is None:
            return None
        if versions[0].in_force(at):  # nearly always
            rate = versions[0].ready()
            if rate:
                return rate
        for longest in self._prefixes.find_all(number):
            rate = _in_force(longest, at)
            if rate:
                return rate
        return None

    def by_area(self, area: str, at: datetime) -> CompiledRate | None:
        """Return the rate of an area; None if there is none in force."""
        return _in_force(self._others.get(("", area), ()), at)

    def by_class(self, call_class: str, at: datetime) -> CompiledRate | None:
        """Return the rate of a class of calls; None if there is none in force."""
        return _in_force(self._others.get((call_class, ""), ()), at)


def _newest_first(rates: list[Rate | RateKey]) -> tuple[Version, ...]:
    if len(rates) > 1:
        rates.sort(key=lambda rate: rate.effective_from or BEGINNING, reverse=True)
    return tuple(map(Version, rates))


def _in_force(versions: tuple[Version, ...], at: datetime) -> CompiledRate | None:
    for version in versions:
        if version.in_force(at):
            return version.ready()
    return None

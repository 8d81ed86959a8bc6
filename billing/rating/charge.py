"""The cost of a call: consecutive increments from the answer, in exact integers, rounded once."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import msgspec

from billing.rating.rates import MOST_DECIMALS, CompiledBand, CompiledRate, CompiledTier, Rounding
from billing.values import PRICE_DECIMALS

POWERS: tuple[int, ...] = tuple(10**exponent for exponent in range(PRICE_DECIMALS + 1))


class ChargeLine(msgspec.Struct, gc=False, frozen=True):
    """Consecutive increments of one tier in one band."""

    band: str
    tier: CompiledTier
    count: int


class Charge(msgspec.Struct, gc=False, frozen=True):
    """An exact charge; the subtotal is `numerator` / `denominator` in 10^-8 of the currency."""

    numerator: int
    denominator: int
    billed_seconds: int
    connect_fee: int  # units of 10^-8, in the subtotal
    lines: tuple[ChargeLine, ...]


class NoBand(Exception):  # noqa: N818 -- an outcome, not an error: no price at that hour
    """No band covers the time at which an increment begins."""


NOTHING = Charge(0, 1, 0, 0, ())


def charge(
    rate: CompiledRate, answered_at: datetime, zone: ZoneInfo, duration: int | Fraction
) -> Charge:
    """Return the exact charge of `duration` milliseconds from `answered_at` (UTC).

    Zero if the duration is 0 or below `free_below_s`. Raises NoBand.
    """
    if duration <= 0 or duration < rate.rate.free_below_s * 1000:
        return NOTHING
    tier = rate.flat
    if tier is not None:
        count = int(-(-duration // (tier.increment_s * 1000)))
        billed = count * tier.increment_s
        total = billed * tier.price + rate.connect_fee * tier.unit_s
        return Charge(total, tier.unit_s, billed, rate.connect_fee, (ChargeLine("", tier, count),))
    return _charge_in_bands(rate, answered_at, zone, duration)


def _charge_in_bands(
    rate: CompiledRate, answered_at: datetime, zone: ZoneInfo, duration: int | Fraction
) -> Charge:
    seconds = Fraction(duration) / 1000
    first = band_at(rate, answered_at, zone)
    lines: list[ChargeLine] = []
    at = 0  # seconds from answer to the next increment
    while at < seconds:
        if rate.rate.band_policy == "start":
            band, until = first, seconds
        else:
            moment = answered_at + timedelta(seconds=at)
            band = band_at(rate, moment, zone)
            ends = (next_change(rate, moment, zone) - answered_at) / timedelta(microseconds=1)
            until = min(seconds, Fraction(int(ends), 1_000_000))
        at = _lay(band, at, until, lines)
    subtotal = sum(
        (Fraction(x.count * x.tier.increment_s * x.tier.price, x.tier.unit_s) for x in lines),
        start=Fraction(first.connect_fee),
    )
    return Charge(subtotal.numerator, subtotal.denominator, at, first.connect_fee, tuple(lines))


def _lay(band: CompiledBand, at: int, until: Fraction, lines: list[ChargeLine]) -> int:
    """Add the increments that begin in [at, until), each in its tier; return where they end."""
    for index, tier in enumerate(band.tiers):
        following = band.tiers[index + 1 : index + 2]
        end = min(until, Fraction(following[0].from_s)) if following else until
        if at >= end:
            continue
        count = int(-(-(end - at) // tier.increment_s))
        at += count * tier.increment_s
        if lines and lines[-1].tier == tier and lines[-1].band == band.name:
            count += lines.pop().count  # the band continues, past midnight or another band's bound
        lines.append(ChargeLine(band.name, tier, count))
    return at


def band_at(rate: CompiledRate, moment: datetime, zone: ZoneInfo) -> CompiledBand:
    """Return the heaviest band that covers the local time of an instant. Raises NoBand."""
    wall = moment.astimezone(zone)
    second = wall.hour * 3600 + wall.minute * 60 + wall.second
    weekday, day = wall.isoweekday(), wall.date().isoformat()
    for band in rate.bands:
        when = band.when
        if (
            when.begin <= second < when.end
            and (not when.days or weekday in when.days)
            and (not when.dates or day in when.dates)
        ):
            return band
    raise NoBand


def next_change(rate: CompiledRate, moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the next instant at which another band may begin: a bound or a clock change.

    Midnight counts as a bound, because days and dates begin there.
    """
    wall = moment.astimezone(zone)
    midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    candidates = [
        (midnight + timedelta(days=day, seconds=second)).replace(tzinfo=zone, fold=fold)
        for day in (0, 1)
        for second in rate.bounds
        for fold in (0, 1)
    ]
    later = min(c for c in (c.astimezone(UTC) for c in candidates) if c > moment)
    return _clock_change(moment, later, zone) or later


def _clock_change(begin: datetime, end: datetime, zone: ZoneInfo) -> datetime | None:
    """Return when the zone's offset changes in (begin, end], to the second; None if it doesn't."""
    if begin.astimezone(zone).utcoffset() == end.astimezone(zone).utcoffset():
        return None
    before = begin.astimezone(zone).utcoffset()
    low, high = begin, end
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def clamp(charge: Charge, rate: CompiledRate) -> tuple[int, int, str]:
    """Apply the minimum and maximum cost; return numerator, denominator and "min", "max" or ""."""
    numerator, denominator, bound = charge.numerator, charge.denominator, ""
    if rate.min_cost is not None and numerator < rate.min_cost * denominator:
        numerator, denominator, bound = rate.min_cost, 1, "min"
    if rate.max_cost is not None and numerator > rate.max_cost * denominator:
        numerator, denominator, bound = rate.max_cost, 1, "max"
    return numerator, denominator, bound


def round_ratio(numerator: int, denominator: int, rounding: Rounding) -> int:
    """Round a non-negative ratio to an integer."""
    whole, rest = divmod(numerator, denominator)
    if not rest or rounding == "down":
        return whole
    if rounding == "up":
        return whole + 1
    twice = 2 * rest
    if twice == denominator and rounding == "half_even":
        return whole + (whole & 1)
    return whole + (twice >= denominator)


def amount_micros(numerator: int, denominator: int, decimals: int, rounding: Rounding) -> int:
    """Return an exact amount in units of 10^-8 as micro-units, rounded once to `decimals`."""
    unit = POWERS[PRICE_DECIMALS - decimals]
    return round_ratio(numerator, denominator * unit, rounding) * POWERS[MOST_DECIMALS - decimals]

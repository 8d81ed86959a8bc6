"""What a price has and a row of a deck has no column for: bands, tiers, limits, rounding.

One cell holds it as JSON, so that a group that was exported can be imported whole.
"""

from typing import Literal

import msgspec
from msgspec.structs import asdict, replace

from billing.rating.rates import Band, Rate, Rounding, Tier
from billing.values import Refused, plain_price

LONGEST = 30_000  # characters of a cell


class Further(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """The fields of a `Rate` without columns; `tiers` only if price and increments can't say it."""

    tiers: tuple[Tier, ...] = ()
    bands: tuple[Band, ...] = ()
    band_policy: Literal["start", "split"] = "start"
    free_below_s: int = 0
    max_cost: str = ""
    decimals: int = 4
    rounding: Rounding = "half_up"
    forbidden: bool = False


def plain_tiers(price: str, unit_s: int, first: int, then: int) -> tuple[Tier, ...]:
    """Return the tiers of a price with its first and its following increments, in seconds."""
    begin = Tier(from_s=0, price=price, unit_s=unit_s, increment_s=first)
    if first == then:
        return (begin,)
    return (begin, Tier(from_s=first, price=price, unit_s=unit_s, increment_s=then))


def written(rate: Rate) -> str:
    """Return the further terms of a price; "" if its columns say all."""
    further = Further(**{name: getattr(rate, name) for name in Further.__struct_fields__})
    if rate.tiers:
        first, last = rate.tiers[0], rate.tiers[-1]
        steps = (first.increment_s, last.increment_s)
        if rate.tiers == plain_tiers(first.price, first.unit_s, *steps):
            further = replace(further, tiers=())
    text = msgspec.json.encode(further).decode()
    return "" if text == "{}" else text


def with_terms(rate: Rate, text: str) -> Rate:
    """Return a price with further terms. Refused if they are none, or have another first price."""
    try:
        if len(text) > LONGEST:
            raise msgspec.ValidationError
        further = msgspec.json.decode(text, type=Further)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refused("The further terms can't be read. Export the group to see them.") from error
    fields = asdict(further)
    if not further.tiers:
        fields["tiers"] = rate.tiers
    elif rate.tiers and plain_price(further.tiers[0].price) != plain_price(rate.tiers[0].price):
        raise Refused("The price differs from the one in the further terms. Change both.")
    return replace(rate, **fields)


def normalized(rate: Rate) -> Rate:
    """Return a price without its name and start, and amounts in one notation: 0.10 as 0.1."""
    return replace(
        rate,
        name="",
        effective_from=None,
        connect_fee=_plain(rate.connect_fee) or "0",
        min_cost=_plain(rate.min_cost),
        max_cost=_plain(rate.max_cost),
        tiers=_plain_prices(rate.tiers),
        bands=tuple(
            replace(band, tiers=_plain_prices(band.tiers), connect_fee=_plain(band.connect_fee))
            for band in rate.bands
        ),
    )


def _plain_prices(tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
    return tuple(replace(tier, price=_plain(tier.price)) for tier in tiers)


def _plain(price: str) -> str:
    return plain_price(price) if price else ""

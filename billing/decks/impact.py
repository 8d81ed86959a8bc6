"""The effect of a deck on past calls: the prices they need, before and after."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from billing.decks.changes import Version, in_force
from billing.rating.rates import BEGINNING, CLASSES, Rate, RateGroup


class PastCall(msgspec.Struct, gc=False, frozen=True):
    """A charged call: its cost, and the data to find its price."""

    call_id: str
    digits: str  # of the number, without +
    area: str
    amount_micros: int


class Impact(msgspec.Struct, kw_only=True):
    """The effect of a deck on past calls: counts, and amounts in micro-units."""

    calls: int = 0
    changed: int = 0  # calls whose cost would change
    unpriced: int = 0  # calls that would lose their price
    before_micros: int = 0
    after_micros: int = 0


class NeededPrices:
    """The few of 200,000 prices that some calls need, in force at a time, before and after.

    Groups with all prices would double the memory.
    """

    def __init__(self, calls: Iterable[PastCall], at: datetime) -> None:
        calls = list(calls)
        self._numbers = sorted({call.digits for call in calls})
        self._areas = {call.area for call in calls}
        self._at = at
        self._prices: tuple[list[Rate], list[Rate]] = ([], [])

    def watch(self, versions: Sequence[Version], changes: Sequence[Version]) -> None:
        """Keep the prices of one target if any call may need them."""
        if not self._may_need((versions or changes)[0]):
            return
        later = {each.effective_from: each for each in (*versions, *changes)}
        for kept, known in zip(self._prices, (versions, later.values()), strict=True):
            price = in_force(sorted(known, key=_since, reverse=True), self._at)
            if price:
                kept.append(replace(price, effective_from=None))

    def _may_need(self, price: Version) -> bool:
        if not price.prefix:
            return price.area in self._areas or bool(price.call_class)
        place = bisect_left(self._numbers, price.prefix)
        return place < len(self._numbers) and self._numbers[place].startswith(price.prefix)

    def groups(self, currency: str) -> tuple[RateGroup, RateGroup]:
        """Return the groups before and after, with prices in force at any time."""
        before, after = self._prices
        return RateGroup("before", "", currency, before), RateGroup("after", "", currency, after)


def differ(groups: tuple[RateGroup, RateGroup], call: PastCall, at: datetime) -> bool:
    """Whether a call may find different prices in the two groups."""
    for found in (
        [group.by_prefix(call.digits, at) for group in groups],
        [group.by_area(call.area, at) for group in groups],
        *([group.by_class(each, at) for group in groups] for each in CLASSES),
    ):
        before, after = (each and each.rate for each in found)
        if before != after:
            return True
    return False


def _since(price: Version) -> datetime:
    return price.effective_from or BEGINNING

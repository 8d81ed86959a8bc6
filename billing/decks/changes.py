"""The changes of a group by a deck: new, more expensive, cheaper, other and removed prices."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from fractions import Fraction
from itertools import groupby

import msgspec
from msgspec.structs import replace

from billing.decks.further import normalized
from billing.rating.rates import Rate, RateKey, target_of

SHOWN = 100  # of each kind
Version = Rate | RateKey  # a RateKey ends the price before it
KINDS = ("new", "dearer", "cheaper", "other", "gone")


class Change(msgspec.Struct, frozen=True):
    """One price before and after; None if there is no price."""

    before: Rate | None
    after: Rate | None

    @property
    def either(self) -> Rate:
        """Return the new rate, or the old one if there is no new one."""
        found = self.after or self.before
        assert found  # noqa: S101 -- at least one is set
        return found


class Changes(msgspec.Struct, kw_only=True):
    """The number of changes of each kind, samples of each, and the rates to set and to end."""

    counts: dict[str, int]
    shown: dict[str, list[Change]]
    same: int = 0
    rates: list[Rate] = []
    ended: list[RateKey] = []


def find_changes(
    current: Iterable[Version],
    rates: list[Rate],
    ends_at: datetime | None,
    now: datetime,
    watch: Callable[[list[Version], list[Version]], None] = lambda *_: None,
) -> Changes:
    """Compare a deck with the prices in force when each of its own starts.

    `current` yields every version of the group by `target_of`, latest first; it is consumed once.
    With `ends_at` the deck is complete: prices of prefixes or areas that it lacks end then. `watch`
    is called for each target with its versions and the changes.
    """
    changes = Changes(counts=dict.fromkeys(KINDS, 0), shown={kind: [] for kind in KINDS})
    rates.sort(key=target_of)
    ending = ends_at if rates else None
    own_kinds = {target_of(rate)[:2] for rate in rates} - {"c:"}  # a class price never ends
    for target, versions, own in _side_by_side(current, rates):
        known = len(changes.rates), len(changes.ended)
        for rate in own:
            _compare(changes, in_force(versions, rate.effective_from or now), rate)
        if ending and not own and target[:2] in own_kinds:
            _end(changes, in_force(versions, ending), ending)
        watch(versions, [*changes.rates[known[0] :], *changes.ended[known[1] :]])
    return changes


def _side_by_side(
    current: Iterable[Version], rates: list[Rate]
) -> Iterator[tuple[str, list[Version], list[Rate]]]:
    """Yield each target with its current versions and the deck's rates; both are sorted by it."""
    old, new = groupby(current, target_of), groupby(rates, target_of)
    left, right = next(old, None), next(new, None)
    while left or right:
        target = min(each[0] for each in (left, right) if each)
        versions, own = list[Version](), list[Rate]()
        if left and left[0] == target:
            versions, left = list(left[1]), next(old, None)
        if right and right[0] == target:
            own, right = list(right[1]), next(new, None)
        yield target, versions, own


def _compare(changes: Changes, before: Rate | None, rate: Rate) -> None:
    kind = _kind(before, rate)
    if kind == "same":
        changes.same += 1
        return
    _note(changes, kind, Change(before, rate))
    changes.rates.append(rate)


def _end(changes: Changes, before: Rate | None, at: datetime) -> None:
    if before:
        _note(changes, "gone", Change(before, None))
        changes.ended.append(RateKey(prefix=before.prefix, area=before.area, effective_from=at))


def in_force(versions: Iterable[Version], at: datetime) -> Rate | None:
    """Return the price in force at a time, of versions sorted latest first."""
    for version in versions:
        if version.effective_from is None or version.effective_from <= at:
            return version if isinstance(version, Rate) else None
    return None


def _kind(before: Rate | None, after: Rate) -> str:
    if before is None:
        return "new"
    plain = replace(before, name=after.name, effective_from=after.effective_from)
    if plain == after:  # true for nearly all unchanged prices
        return "same"
    old, new = _per_second(before), _per_second(after)
    if old is None or new is None or old == new:
        return "same" if normalized(before) == normalized(after) else "other"
    return "dearer" if new > old else "cheaper"


def _per_second(rate: Rate) -> Fraction | None:
    return Fraction(rate.tiers[0].price) / rate.tiers[0].unit_s if rate.tiers else None


def _note(changes: Changes, kind: str, change: Change) -> None:
    changes.counts[kind] += 1
    if len(changes.shown[kind]) < SHOWN:
        changes.shown[kind].append(change)

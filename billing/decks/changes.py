"""What a deck changes in a group: new, dearer, cheaper, gone."""

from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction

import msgspec
from msgspec.structs import replace

from billing.aggregates.rate_group import RateGroup
from billing.rating.rates import BEGINNING, Rate, RateKey, Target, key_of

SHOWN = 100  # of each kind
KINDS = ("new", "dearer", "cheaper", "other", "gone")


class Change(msgspec.Struct, frozen=True):
    """One price before and after; None where there is none."""

    before: Rate | None
    after: Rate | None

    @property
    def either(self) -> Rate:
        """The rate that is there."""
        found = self.after or self.before
        assert found  # noqa: S101 -- one of both is there
        return found


class Changes(msgspec.Struct, kw_only=True):
    """How many of each kind, the first of each, and what is to be set and ended."""

    counts: dict[str, int]
    shown: dict[str, list[Change]]
    same: int = 0
    rates: list[Rate] = []
    ended: list[RateKey] = []


def find_changes(
    group: RateGroup, rates: Iterable[Rate], ends_at: datetime | None, now: datetime
) -> Changes:
    """Compare a deck with the prices in force when each of its own begins.

    With `ends_at` the deck is complete: prices of prefixes or areas that are not in it end then.
    """
    standing = _by_target(group)
    changes = Changes(counts=dict.fromkeys(KINDS, 0), shown={kind: [] for kind in KINDS})
    named = set[Target]()
    for rate in rates:
        target = key_of(rate)[:3]
        named.add(target)
        before = _in_force(standing.get(target, ()), rate.effective_from or now)
        kind = _kind(before, rate)
        if kind == "same":
            changes.same += 1
            continue
        _note(changes, kind, Change(before, rate))
        changes.rates.append(rate)
    if ends_at and named:
        by_area = not next(iter(named))[0]
        for target, versions in standing.items():
            before = _in_force(versions, ends_at)
            if target in named or not before or not (target[2] if by_area else target[0]):
                continue
            _note(changes, "gone", Change(before, None))
            changes.ended.append(RateKey(prefix=target[0], area=target[2], effective_from=ends_at))
    return changes


def _by_target(group: RateGroup) -> dict[Target, list[Rate | RateKey]]:
    found: dict[Target, list[Rate | RateKey]] = {}
    for key, price in group.prices.items():
        found.setdefault(key[:3], []).append(price)
    for versions in found.values():
        if len(versions) > 1:
            versions.sort(key=lambda each: each.effective_from or BEGINNING, reverse=True)
    return found


def _in_force(versions: Iterable[Rate | RateKey], at: datetime) -> Rate | None:
    for version in versions:
        if version.effective_from is None or version.effective_from <= at:
            return version if isinstance(version, Rate) else None
    return None


def _kind(before: Rate | None, after: Rate) -> str:
    if before is None:
        return "new"
    if before.tiers == after.tiers:  # nearly always where nothing changed
        plain = replace(before, name=after.name, effective_from=after.effective_from)
        return "same" if plain == after else "other"
    old, new = _per_second(before), _per_second(after)
    if old is None or new is None or old == new:
        return "other"
    return "dearer" if new > old else "cheaper"


def _per_second(rate: Rate) -> Fraction | None:
    return Fraction(rate.tiers[0].price) / rate.tiers[0].unit_s if rate.tiers else None


def _note(changes: Changes, kind: str, change: Change) -> None:
    changes.counts[kind] += 1
    if len(changes.shown[kind]) < SHOWN:
        changes.shown[kind].append(change)

"""What a deck would have done to calls that were made: their amounts before and after, in money."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from billing.rating.chain import charge_by
from billing.rating.context import Draft, Suspend
from billing.rating.rates import CompiledRate, RateGroup


class PastCall(msgspec.Struct, frozen=True):
    """What of a call its price depends on."""

    digits: str  # of the number, without +
    area: str
    call_class: str
    started_at: datetime
    talk_ms: int


class Impact(msgspec.Struct, kw_only=True):
    calls: int = 0
    changed: int = 0
    unpriced: int = 0  # that had a price and would have none
    before_micros: int = 0
    after_micros: int = 0


def measure_impact(
    calls: Iterable[PastCall], groups: tuple[RateGroup, RateGroup], at: datetime, zone: ZoneInfo
) -> Impact:
    """Charge calls by the prices in force at a moment in the one group and in the other.

    By wall time in one zone; premium and short numbers count by their prefix like others.
    """
    impact = Impact()
    for call in calls:
        impact.calls += 1
        before, after = (_rate_of(group, call, at) for group in groups)
        old = _amount(before, call, zone)
        new = old
        if (before and before.rate) != (after and after.rate):
            impact.changed += 1
            impact.unpriced += before is not None and after is None
            new = _amount(after, call, zone)
        impact.before_micros += old
        impact.after_micros += new
    return impact


def _rate_of(group: RateGroup, call: PastCall, at: datetime) -> CompiledRate | None:
    return (
        group.by_prefix(call.digits, at)
        or (group.by_area(call.area, at) if call.area else None)
        or group.by_class(call.call_class, at)
    )


def _amount(rate: CompiledRate | None, call: PastCall, zone: ZoneInfo) -> int:
    if rate is None:
        return 0
    draft = Draft(company_id="", flags=())
    try:
        charge_by(rate, call.started_at, zone, call.talk_ms, draft)
    except Suspend:
        return 0
    return draft.amount_micros

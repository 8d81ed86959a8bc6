"""From a CDR to a charge, step by step: the account, the number, the rate, the amount."""

import logging
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from billing.rating.cdr import Cdr
from billing.rating.charge import NOTHING, Charge, NoBand, amount_micros, charge, clamp
from billing.rating.context import (
    CompanyProfile,
    DeviceProfile,
    Draft,
    Rating,
    RatingContext,
    Suspend,
)
from billing.rating.dialled import find_number
from billing.rating.number_plan import FREE, ORDINARY, PlanEntry
from billing.rating.owner import find_owner
from billing.rating.rates import CompiledRate, RateGroup
from billing.values import MOST_NUMBER, PRICE_DECIMALS, decimal_string

DAY_MS = 86_400_000
LONGEST_MS = 30 * DAY_MS  # longer calls come from a broken clock

# Why a record is suspended. The reasons above the line come with the record itself.
REASONS = (
    "unreadable",
    "unfinished",
    "bad_time",
    "bad_duration",
    # ---
    "no_account",
    "no_number",
    "no_rate_group",
    "no_rate",
    "bad_rate",
)

logger = logging.getLogger("billing.rating")

# The steps that explain a charge: code -> names of its values.
STEPS: dict[str, tuple[str, ...]] = {
    "by_pin": ("account",),
    "by_extension": ("extension", "account"),
    "by_trunk": ("trunk", "account"),
    "by_company": ("company",),
    "direction": ("direction",),
    "b_leg": (),
    "unanswered": ("result",),
    "route_prefix": ("prefix", "replacement", "number"),
    "short_code": ("number", "area", "type"),
    "e164": ("dialled", "number"),
    "as_dialled": ("dialled",),
    "attribution": ("prefix", "area", "type"),
    "no_attribution": ("number",),
    "class": ("class",),
    "rate": ("name", "prefix_or_class", "effective_from"),
    "free_class": ("type",),
    "not_charged": ("direction",),
    "forbidden": ("name",),
    "free_below": ("seconds",),
    "connect_fee": ("fee",),
    "line": ("band", "price", "unit_s", "increment_s", "seconds"),
    "min": ("amount",),
    "max": ("amount",),
    "rounded": ("rounding", "decimals", "amount"),
}


def rate_cdr(cdr: Cdr, device: DeviceProfile, context: RatingContext) -> Rating:
    """Rate a record. Never raises: a record that can't be priced is returned as suspended."""
    draft = Draft(company_id=device.company_id, flags=cdr.flags)
    try:
        started_at = _start(cdr)
        _rate(cdr, device, context, started_at, draft)
    except Suspend as why:
        return draft.rating("suspended", str(why))
    except Exception as error:  # noqa: BLE001 -- one wrong price must not stop all other calls
        logger.error("The record %s can't be rated: %r", cdr.key, error)  # noqa: TRY400 -- a line
        return draft.rating("suspended", "bad_rate")
    return draft.rating("rated")


def _start(cdr: Cdr) -> datetime:
    """Return the start of a call.

    Raises Suspend if the record has a problem or impossible times.
    """
    if cdr.problem:
        raise Suspend(cdr.problem)
    if cdr.started_at is None:
        raise Suspend("bad_time")
    if not (0 <= cdr.billed_ms <= LONGEST_MS and 0 <= cdr.duration_ms <= LONGEST_MS):
        raise Suspend("bad_duration")
    return cdr.started_at


def _rate(
    cdr: Cdr, device: DeviceProfile, context: RatingContext, started_at: datetime, draft: Draft
) -> None:
    company = find_owner(cdr, device, context, started_at, draft)
    at = cdr.answered_at or started_at
    entry, digits = find_number(cdr, device, context, at, draft)
    if cdr.billed_ms > DAY_MS:
        draft.flags += ("over_24h",)
    if not cdr.billed_ms or cdr.result not in ("answered", ""):  # "": unknown
        draft.steps.append(("unanswered", cdr.result))
        return
    if not digits and draft.direction == "outbound":
        raise Suspend("no_number")
    group = _group(context, company, started_at)
    if group:
        draft.group_id = group.group_id
    rate = _choose(group, entry, digits, draft, at)
    if rate:
        draft.rate_name, draft.rate_prefix = rate.rate.name, rate.rate.prefix
        draft.steps.append(rate.step)
        charge_by(rate, at, company.zone, cdr.billed_ms, draft)


def _group(
    context: RatingContext, company: CompanyProfile, started_at: datetime
) -> RateGroup | None:
    """Return the group bound last before the call; of bindings at equal times, the last one."""
    group_id, since = "", None
    for valid_from, bound in company.rate_groups:
        if valid_from is None:
            group_id = group_id if since else bound
        elif valid_from <= started_at and (since is None or valid_from >= since):
            group_id, since = bound, valid_from
    return context.groups.get(group_id)


def _choose(
    group: RateGroup | None, entry: PlanEntry | None, digits: str, draft: Draft, at: datetime
) -> CompiledRate | None:
    """Return the rate in force; None if the call is free without one. Raises Suspend."""
    if "b_leg" in draft.flags:
        draft.steps.append(("b_leg",))
        return None
    rate = _rate_of(group, entry, digits, draft, at) if group else None
    if rate:
        return rate
    if draft.direction != "outbound":
        draft.steps.append(("not_charged", draft.direction))
        return None
    if entry and entry.type in FREE:
        draft.steps.append(("free_class", entry.type))
        return None
    raise Suspend("no_rate" if group else "no_rate_group")


def _rate_of(
    group: RateGroup, entry: PlanEntry | None, digits: str, draft: Draft, at: datetime
) -> CompiledRate | None:
    """Look up a rate by prefix, then area, then class; special numbers never use a class."""
    if draft.direction != "outbound":
        return group.by_class(draft.direction, at)
    if entry and entry.type == "emergency":
        return None  # even if a deck has these digits: +91 1 is Delhi, 911 is not
    rate = group.by_prefix(digits, at)
    if rate and entry and not _applies(rate, entry):
        rate = None
    if rate is None and entry and entry.area:
        rate = group.by_area(entry.area, at)
    if rate is None and draft.call_class not in ("special", ""):
        rate = group.by_class(draft.call_class, at)
    return rate


def _applies(rate: CompiledRate, entry: PlanEntry) -> bool:
    """Whether a rate found by prefix applies to such numbers: one for 34 not to a premium 34806."""
    # No country has 87 or 88, so any prefix there is meant for satellites.
    ordinary = entry.type in ORDINARY or entry.type == "satellite"
    return ordinary or rate.rate.prefix.startswith(entry.prefix)


def charge_by(
    compiled: CompiledRate, at: datetime, zone: ZoneInfo, billed_ms: int, draft: Draft
) -> None:
    """Charge a call answered at `at` (UTC) by a rate; adds to `draft`. Raises Suspend."""
    rate = compiled.rate
    if rate.forbidden:
        draft.flags += ("forbidden",)
        draft.steps.append(("forbidden", rate.name))
        return
    try:
        charged = charge(compiled, at, zone, billed_ms)
    except NoBand as error:
        raise Suspend("no_rate") from error
    if charged is NOTHING:
        draft.steps.append(("free_below", str(rate.free_below_s)))
        return
    numerator, denominator, bound = clamp(charged, compiled)
    amount = amount_micros(numerator, denominator, rate.decimals, rate.rounding)
    if not 0 <= amount <= MOST_NUMBER or charged.billed_seconds > MOST_NUMBER:
        raise Suspend("bad_rate")
    draft.billed_seconds, draft.amount_micros = charged.billed_seconds, amount
    _explain(charged, compiled, bound, amount, draft.steps)


def _explain(
    charged: Charge,
    compiled: CompiledRate,
    bound: str,
    amount: int,
    steps: list[tuple[str, ...]],
) -> None:
    rate = compiled.rate
    if charged.connect_fee:
        fee = Decimal(charged.connect_fee).scaleb(-PRICE_DECIMALS).normalize()
        steps.append(("connect_fee", f"{fee:f}"))
    for line in charged.lines:
        seconds = str(line.count * line.tier.increment_s)
        steps.append(("line", line.band, *line.tier.step, seconds))
    if bound:
        steps.append((bound, rate.min_cost if bound == "min" else rate.max_cost))
    steps.append(("rounded", rate.rounding, str(rate.decimals), decimal_string(amount)))

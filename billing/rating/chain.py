"""From a CDR to a charge, step by step: whose call, which number, which rate, what it costs."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from billing.rating.cdr import Cdr, Direction
from billing.rating.charge import NOTHING, Charge, NoBand, amount_micros, charge, clamp
from billing.rating.context import (
    Assignment,
    CallClass,
    CompanyProfile,
    DeviceProfile,
    Rating,
    RatingContext,
)
from billing.rating.numbers import clean, dial_plan, strip_route_prefix, to_e164
from billing.rating.plan import FREE, ORDINARY, PlanEntry
from billing.rating.rates import CompiledRate, RateGroup
from billing.values import PRICE_DECIMALS, decimal_string

LONGEST_MS = 30 * 86_400_000  # a longer call is a broken clock
DAY_MS = 86_400_000

# Why a record is suspended. Those above the line come with the record itself.
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
)

# Each step that explains a charge: its code and what its values are.
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


class Suspend(Exception):  # noqa: N818 -- an outcome of the chain, not a fault
    """The chain can't go on; its argument is one of REASONS."""


def rate_cdr(cdr: Cdr, device: DeviceProfile, context: RatingContext) -> Rating:
    """What a record means and costs. Never raises: what can't be priced is suspended."""
    found: dict[str, Any] = {"flags": cdr.flags, "company_id": device.company_id}
    steps: list[tuple[str, ...]] = []
    try:
        _check(cdr)
        _rate(cdr, device, context, found, steps)
    except Suspend as why:
        return Rating(status="suspended", reason=str(why), steps=tuple(steps), **found)
    return Rating(status="rated", steps=tuple(steps), **found)


def _check(cdr: Cdr) -> None:
    if cdr.problem:
        raise Suspend(cdr.problem)
    if cdr.started_at is None:
        raise Suspend("bad_time")
    if not 0 <= cdr.billed_ms <= LONGEST_MS or not 0 <= cdr.duration_ms <= LONGEST_MS:
        raise Suspend("bad_duration")


def _rate(
    cdr: Cdr,
    device: DeviceProfile,
    context: RatingContext,
    found: dict[str, Any],
    steps: list[tuple[str, ...]],
) -> None:
    started_at: datetime = cdr.started_at  # type: ignore[assignment] # _check saw to it
    company = _whose(cdr, device, context, started_at, found, steps)
    found["direction"] = direction = _direction(cdr, device)
    steps.append(("direction", direction))
    entry, digits, call_class = _which(cdr, device, context, company, found, steps)
    if cdr.billed_ms > DAY_MS:
        found["flags"] += ("over_24h",)
    if not cdr.billed_ms or cdr.result != "answered":
        steps.append(("unanswered", cdr.result))
        return
    if not digits and direction == "outbound":
        raise Suspend("no_number")
    at = cdr.answered_at or started_at
    rate = _choose(context, company, entry, digits, call_class, started_at, at, found, steps)
    if rate:
        _charge(rate, cdr, at, company, found, steps)


# --- whose call ------------------------------------------------------------------------------


def _whose(
    cdr: Cdr,
    device: DeviceProfile,
    context: RatingContext,
    started_at: datetime,
    found: dict[str, Any],
    steps: list[tuple[str, ...]],
) -> CompanyProfile:
    company_id = device.company_id
    if device.tenants:
        company_id = device.tenants.get(cdr.tenant) or device.tenants.get(cdr.pin, "")
    company = context.companies.get(company_id)
    found["company_id"] = company_id
    if company is None:
        raise Suspend("no_account")
    account = _account(cdr, device, started_at, steps)
    wallet = f"company:{company_id}"
    found["extension"] = _extension(cdr, device)
    if account:
        kind = "user_account" if account.startswith("user:") else "gateway_account"
        found[kind] = account
        profile = context.accounts.get(account)
        if profile and profile.own_wallet:
            wallet = account
    else:
        steps.append(("by_company", company_id))
    found["payer"], found["currency"] = wallet, company.currency
    if wallet in context.frozen or account in context.frozen:
        found["flags"] += ("frozen_account",)
    return company


def _account(
    cdr: Cdr, device: DeviceProfile, started_at: datetime, steps: list[tuple[str, ...]]
) -> str:
    """The user or gateway account of a call; "" leaves it to the company."""
    account = cdr.pin and _valid(device.pins.get(cdr.pin), started_at)
    if account:
        steps.append(("by_pin", account))
        return account
    extension = _extension(cdr, device)
    by_extension = extension and _valid(
        device.extensions.get((cdr.tenant, extension)) or device.extensions.get(("", extension)),
        started_at,
    )
    by_trunk = cdr.source_trunk and _valid(device.trunks.get(cdr.source_trunk), started_at)
    if by_trunk and (device.gateway_first or not by_extension):
        steps.append(("by_trunk", cdr.source_trunk, by_trunk))
        return by_trunk
    if by_extension:
        steps.append(("by_extension", extension, by_extension))
    return by_extension


def _valid(assignments: tuple[Assignment, ...] | None, at: datetime) -> str:
    """Whose it was at a moment: the last assignment from before."""
    account, since = "", None
    for assignment in assignments or ():
        valid_from = assignment.valid_from
        if valid_from is None:
            account = account if since else assignment.account
        elif valid_from <= at and (since is None or valid_from >= since):
            account, since = assignment.account, valid_from
    return account


def _is_extension(number: str, cdr: Cdr, device: DeviceProfile) -> bool:
    return (cdr.tenant, number) in device.extensions or ("", number) in device.extensions


def _extension(cdr: Cdr, device: DeviceProfile) -> str:
    if _is_extension(cdr.caller, cdr, device):
        return cdr.caller
    return cdr.called if _is_extension(cdr.called, cdr, device) else ""


def _direction(cdr: Cdr, device: DeviceProfile) -> Direction:
    """As the record says; otherwise by which of its numbers are extensions of the device."""
    if cdr.direction:
        return cdr.direction
    if _is_extension(cdr.called, cdr, device):
        return "internal" if _is_extension(cdr.caller, cdr, device) else "inbound"
    return "outbound"


# --- which number ----------------------------------------------------------------------------


def _which(
    cdr: Cdr,
    device: DeviceProfile,
    context: RatingContext,
    company: CompanyProfile,
    found: dict[str, Any],
    steps: list[tuple[str, ...]],
) -> tuple[PlanEntry | None, str, CallClass]:
    """The plan's entry, the digits to rate by and the class; all of it told in `found`."""
    if found["direction"] == "internal":
        found["number"], found["call_class"] = cdr.called, "internal"
        steps.append(("class", "internal"))
        return None, cdr.called, "internal"
    inbound = found["direction"] == "inbound"
    entry, digits, is_e164 = _normalise(
        cdr.caller if inbound else cdr.called, device, context, steps
    )
    found["number"] = "+" + digits if is_e164 else digits
    if entry is None and digits:
        at = cdr.answered_at or cdr.started_at
        entry = context.plan.attribute(digits, at, company.company_id)  # type: ignore[arg-type]
        if entry:
            steps.append(("attribution", entry.prefix, entry.area, entry.type))
        else:
            steps.append(("no_attribution", digits))
    call_class = _class(entry, digits, device, is_e164=is_e164)
    found["call_class"] = call_class
    steps.append(("class", call_class))
    if entry:
        found["area"], found["area_type"], found["country"] = entry.area, entry.type, entry.country
    return entry, digits, call_class


def _normalise(
    dialled: str, device: DeviceProfile, context: RatingContext, steps: list[tuple[str, ...]]
) -> tuple[PlanEntry | None, str, bool]:
    """Short code, else route prefix and E.164, else as dialled: (entry, digits, whether E.164)."""
    number, plan = clean(dialled), dial_plan(device.country)

    def short(text: str) -> PlanEntry | None:
        return context.plan.short_code(text, device.country)

    entry = short(number)
    if entry is None and device.route_prefixes:
        number, rule = strip_route_prefix(
            number,
            device.route_prefixes,
            lambda rest: bool(short(rest) or to_e164(rest, plan, device.area_code)),
        )
        if rule:
            steps.append(("route_prefix", rule.prefix, rule.replacement, number))
            entry = short(number)
    if entry:
        steps.append(("short_code", number, entry.area, entry.type))
        return entry, number, False
    e164 = to_e164(number, plan, device.area_code)
    if e164:
        steps.append(("e164", dialled, "+" + e164))
        return None, e164, True
    steps.append(("as_dialled", dialled))
    return None, number.lstrip("+"), False


def _class(
    entry: PlanEntry | None, digits: str, device: DeviceProfile, *, is_e164: bool
) -> CallClass:
    if entry and entry.type not in ORDINARY:
        return "special"
    code = dial_plan(device.country).code
    country = entry.country if entry and entry.country else ""
    home = country == device.country if country else bool(code) and digits.startswith(code)
    if not (is_e164 or entry):
        return ""
    if not home:
        return "international"
    own_area = device.area_code and digits.startswith(code + device.area_code)
    return "local" if own_area and not (entry and entry.type == "mobile") else "national"


# --- the rate --------------------------------------------------------------------------------


def _choose(
    context: RatingContext,
    company: CompanyProfile,
    entry: PlanEntry | None,
    digits: str,
    call_class: CallClass,
    started_at: datetime,
    at: datetime,
    found: dict[str, Any],
    steps: list[tuple[str, ...]],
) -> CompiledRate | None:
    """The rate in force; None for what costs nothing without one."""
    group = _group(context, company, started_at)
    direction = found["direction"]
    if group:
        found["group_id"] = group.group_id
        rate = _rate_of(group, entry, digits, call_class, direction, at, "b_leg" in found["flags"])
        if rate:
            found["rate_name"], found["rate_prefix"] = rate.rate.name, rate.rate.prefix
            since = rate.rate.effective_from
            covers = rate.rate.prefix or rate.rate.call_class or rate.rate.area
            steps.append(("rate", rate.rate.name, covers, f"{since:%Y-%m-%d}" if since else ""))
            return rate
    if "b_leg" in found["flags"]:
        steps.append(("b_leg",))
        return None
    if direction != "outbound":
        steps.append(("not_charged", direction))
        return None
    if entry and entry.type in FREE:
        steps.append(("free_class", entry.type))
        return None
    raise Suspend("no_rate" if group else "no_rate_group")


def _group(
    context: RatingContext, company: CompanyProfile, started_at: datetime
) -> RateGroup | None:
    bindings = [
        (valid_from is not None, valid_from or started_at, index, group_id)
        for index, (valid_from, group_id) in enumerate(company.rate_groups)
        if valid_from is None or valid_from <= started_at
    ]
    return context.groups.get(max(bindings)[3]) if bindings else None


def _rate_of(
    group: RateGroup,
    entry: PlanEntry | None,
    digits: str,
    call_class: CallClass,
    direction: Direction,
    at: datetime,
    b_leg: bool,
) -> CompiledRate | None:
    """Prefix before area before class; what is special never falls back to a class."""
    if b_leg:
        return None
    if direction == "inbound":
        return group.by_class("inbound", at)
    if direction == "internal":
        return group.by_class("internal", at)
    rate = group.by_prefix(digits, at)
    if rate is None and entry:
        rate = group.by_area(entry.area, at)
    if (
        rate
        and entry
        and entry.type not in ORDINARY
        and not rate.rate.prefix.startswith(entry.prefix)
    ):
        return None  # a rate for 34 is not meant for the premium 34806
    if rate is None and call_class not in ("special", ""):
        rate = group.by_class(call_class, at)
    return rate


# --- the charge ------------------------------------------------------------------------------


def _charge(
    compiled: CompiledRate,
    cdr: Cdr,
    at: datetime,
    company: CompanyProfile,
    found: dict[str, Any],
    steps: list[tuple[str, ...]],
) -> None:
    rate = compiled.rate
    if rate.forbidden:
        found["flags"] += ("forbidden",)
        steps.append(("forbidden", rate.name))
        return
    try:
        charged = charge(compiled, at, company.zone, cdr.billed_ms)
    except NoBand as error:
        raise Suspend("no_rate") from error
    if charged is NOTHING:
        steps.append(("free_below", str(rate.free_below_s)))
        return
    numerator, denominator, bound = clamp(charged, compiled)
    amount = amount_micros(numerator, denominator, rate.decimals, rate.rounding)
    found["billed_seconds"], found["amount_micros"] = charged.billed_seconds, amount
    _explain(charged, compiled, bound, amount, steps)


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
        tier = line.tier
        seconds = str(line.count * tier.increment_s)
        unit, increment = str(tier.unit_s), str(tier.increment_s)
        steps.append(("line", line.band, tier.price_text, unit, increment, seconds))
    if bound:
        steps.append((bound, rate.min_cost if bound == "min" else rate.max_cost))
    steps.append(("rounded", rate.rounding, str(rate.decimals), decimal_string(amount)))

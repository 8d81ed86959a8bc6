"""The number a call is rated by: short code or E.164, its entry in the plan, its class."""

from datetime import datetime
from functools import lru_cache, partial

from billing.rating.cdr import Cdr
from billing.rating.context import CallClass, DeviceProfile, Draft, RatingContext
from billing.rating.number_plan import ORDINARY, SHORT_CODE_DIGITS, NumberPlan, PlanEntry
from billing.rating.numbers import RoutePrefix, clean, dial_plan, strip_route_prefix, to_e164

Normalised = tuple[PlanEntry | None, str, bool]  # short code's entry, digits, is E.164


def find_number(
    cdr: Cdr, device: DeviceProfile, context: RatingContext, at: datetime, draft: Draft
) -> tuple[PlanEntry | None, str]:
    """Return the plan's entry and the digits to rate by; number, class and area go into `draft`."""
    steps = draft.steps
    if draft.direction == "internal":
        draft.number, draft.call_class = cdr.called, "internal"
        steps.append(("class", "internal"))
        return None, cdr.called
    dialled = cdr.caller if draft.direction == "inbound" else cdr.called
    entry, digits, is_e164 = _normalise(dialled, device, context, at, draft)
    draft.number = "+" + digits if is_e164 else digits
    if entry is None and digits:
        if is_e164 or len(digits) > SHORT_CODE_DIGITS:  # 1234 is not a call to America
            entry = context.plan.attribute(digits, at, draft.company_id)
        if entry:
            steps.append(("attribution", entry.prefix, entry.area, entry.type))
        else:
            steps.append(("no_attribution", digits))
    if entry:
        draft.area, draft.area_type, draft.country = entry.area, entry.type, entry.country
    draft.call_class = _class(entry, digits, device) if entry or is_e164 else ""
    steps.append(("class", draft.call_class))
    return entry, digits


def _normalise(
    dialled: str, device: DeviceProfile, context: RatingContext, at: datetime, draft: Draft
) -> Normalised:
    """Try short codes, then route prefixes and E.164; otherwise return the digits as dialled."""
    number = clean(dialled)
    plan, company_id = context.plan, draft.company_id
    entry = plan.short_code(number, device.country, at, company_id)
    if entry is None and device.route_prefixes:
        plausible = partial(_plausible, device, plan, at, company_id)
        number, rule = strip_route_prefix(number, device.route_prefixes, plausible)
        if rule:
            draft.steps.append(("route_prefix", rule.prefix, rule.replacement, number))
            entry = plan.short_code(number, device.country, at, company_id)
    if entry:
        draft.steps.append(("short_code", number, entry.area, entry.type))
        return entry, number, False
    e164 = to_e164(number, dial_plan(device.country), device.area_code)
    if e164:
        draft.steps.append(("e164", dialled, "+" + e164))
        return None, e164, True
    draft.steps.append(("as_dialled", dialled))
    return None, number.lstrip("+"), False


def try_prefixes(
    dialled: str, device: DeviceProfile, plan: NumberPlan, at: datetime
) -> list[tuple[RoutePrefix, str]]:
    """Return each route prefix of a device, in order, with its outcome for a dialled number.

    Outcomes: short_code (precedes all prefixes), other, too_short, too_long, implausible, applied,
    after (an earlier one applied).
    """
    number, found = clean(dialled), ""
    if plan.short_code(number, device.country, at, device.company_id):
        found = "short_code"
    tried = []
    for rule in device.route_prefixes:
        outcome = found or _outcome(number, rule, device, plan, at)
        tried.append((rule, outcome))
        if outcome == "applied":
            found = "after"
    return tried


def _outcome(
    number: str, rule: RoutePrefix, device: DeviceProfile, plan: NumberPlan, at: datetime
) -> str:
    if not number.startswith(rule.prefix):
        return "other"
    rest = number[len(rule.prefix) :]
    if len(rest) < rule.min_rest:
        return "too_short"
    if len(rest) > rule.max_rest:
        return "too_long"
    plausible = partial(_plausible, device, plan, at, device.company_id)
    return "applied" if plausible(rule.replacement + rest) else "implausible"


def _plausible(
    device: DeviceProfile, plan: NumberPlan, at: datetime, company_id: str, rest: str
) -> bool:
    """Whether `rest` can be dialled at the device without a route prefix."""
    if plan.short_code(rest, device.country, at, company_id):
        return True
    return bool(to_e164(rest, dial_plan(device.country), device.area_code))


def _class(entry: PlanEntry | None, digits: str, device: DeviceProfile) -> CallClass:
    if entry and entry.type not in ORDINARY:
        return "special"
    code, own_area = _home(device.country, device.area_code)
    if entry and entry.country:  # countries share codes: not all of +1 is domestic
        is_home = entry.country == device.country
    else:
        is_home = bool(code) and digits.startswith(code)
    if not is_home:
        return "international"
    if own_area and digits.startswith(own_area) and not (entry and entry.type == "mobile"):
        return "local"
    return "national"


@lru_cache(maxsize=1024)
def _home(country: str, area_code: str) -> tuple[str, str]:
    """Return the country code, and the E.164 digits of the device's own area ("" if unknown)."""
    plan = dial_plan(country)
    own_area = plan.code + area_code.removeprefix(plan.trunk) if area_code else ""
    return plan.code, own_area

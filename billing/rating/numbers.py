"""From dialled digits to E.164: route prefixes, local and national forms, per country."""

from collections.abc import Callable, Sequence

import msgspec

from billing.values import is_digits

E164_SHORTEST, E164_LONGEST = 7, 15
LOCAL_SHORTEST, LOCAL_LONGEST = 5, 9  # without the area code; shorter numbers are extensions
ARGENTINA, FIFTEEN_AND_NATIONAL = "54", 12
ITALY = "39"  # where the leading 0 is part of the number


class RoutePrefix(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Digits that a cascaded device left in front; replaced once, if a plausible number results."""

    order: int
    prefix: str
    replacement: str = ""
    min_rest: int = 1
    max_rest: int = 20


class DialPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How numbers are dialled in a country."""

    code: str  # country calling code
    trunk: str = ""  # prefix of national numbers
    trunk_needed: bool = True  # whether national numbers always need it
    international: str = "00"  # prefix of international numbers
    lengths: tuple[int, ...]  # of national numbers, without the trunk prefix
    # Heads and lengths of exceptions: of another length, or dialled without a needed trunk prefix.
    others: tuple[tuple[str, int], ...] = ()


# By ISO 3166 code, from the national numbering authorities; elsewhere only 00 and + are known.
DIAL_PLANS = {
    "AR": DialPlan(code="54", trunk="0", trunk_needed=False, lengths=(10, 11)),
    "BR": DialPlan(
        code="55",
        trunk="0",
        trunk_needed=False,
        lengths=(10, 11),
        others=(("300", 9), ("500", 9), ("800", 9)),
    ),
    "CL": DialPlan(code="56", lengths=(9,)),
    "CN": DialPlan(
        code="86",
        trunk="0",
        lengths=(9, 10, 11),
        others=(("1", 11), ("400", 10), ("800", 10), ("16", 8)),
    ),
    "CO": DialPlan(
        code="57",
        trunk="0",
        trunk_needed=False,
        lengths=(10,),
        others=(("1800", 11), ("190", 11)),
    ),
    "DE": DialPlan(code="49", trunk="0", lengths=tuple(range(5, 14))),
    "ES": DialPlan(code="34", lengths=(9,)),
    "FR": DialPlan(code="33", trunk="0", lengths=(9,)),
    "GB": DialPlan(code="44", trunk="0", lengths=(9, 10)),
    "IT": DialPlan(code="39", lengths=tuple(range(6, 11)), others=(("0", 11),)),
    "MX": DialPlan(code="52", lengths=(10,)),
    "PE": DialPlan(code="51", trunk="0", lengths=(8, 9), others=(("9", 9),)),
    "PT": DialPlan(code="351", lengths=(9,)),
    "US": DialPlan(code="1", trunk="1", trunk_needed=False, international="011", lengths=(10,)),
}
ELSEWHERE = DialPlan(code="", lengths=())


def dial_plan(country: str) -> DialPlan:
    """Return the dial plan of a country (ISO 3166); unknown countries have only + and 00."""
    return DIAL_PLANS.get(country, ELSEWHERE)


def clean(dialled: str) -> str:
    """Return the digits of a dialled number, keeping a leading +.

    Star and hash stay: *31#600… is a feature of the switch, not a call to the Netherlands.
    """
    if is_digits(dialled):
        return dialled
    digits = "".join(c for c in dialled if c in "0123456789*#")
    return "+" + digits if dialled.lstrip(" (")[:1] == "+" else digits


def to_e164(dialled: str, plan: DialPlan, area_code: str) -> str:
    """Return the E.164 digits, without +, of a cleaned number; "" if that is impossible."""
    if dialled[:1] == "+":
        return _international(dialled[1:])
    if dialled.startswith(plan.international):
        return _international(dialled[len(plan.international) :])
    if not plan.code or not dialled.isdigit():
        return ""
    # The whole number without its +, as most SIP trunks send it.
    rest = dialled[len(plan.code) :] if dialled.startswith(plan.code) else ""
    if rest and _is_other(rest, plan):
        return dialled
    national = _national(dialled, plan, area_code.removeprefix(plan.trunk))
    if national:
        return plan.code + national
    return dialled if len(rest) in plan.lengths else ""


def _national(dialled: str, plan: DialPlan, area_code: str) -> str:
    """Return the national number of digits dialled within the country; "" if it is none."""
    if plan.trunk and dialled.startswith(plan.trunk):
        national = dialled[len(plan.trunk) :]
        if _is_whole(national, plan):
            return national
        if plan.code == ARGENTINA and len(national) == FIFTEEN_AND_NATIONAL:
            return _without_15(national)
    if plan.code == ARGENTINA and dialled.startswith("15") and area_code:
        return _without_15(area_code + dialled)
    if _is_national(dialled, plan):
        return dialled
    if area_code and _is_local(dialled, plan, area_code):
        return area_code + dialled
    return ""


def _without_15(national: str) -> str:
    """Convert an Argentine mobile number: 11 15 2345 6789 in the country is +54 9 11 2345 6789."""
    for area in (2, 3, 4):
        rest = national[area:]
        if rest.startswith("15") and len(national) == FIFTEEN_AND_NATIONAL:
            return "9" + national[:area] + rest[2:]
    return ""


def _international(rest: str) -> str:
    plausible = E164_SHORTEST <= len(rest) <= E164_LONGEST and rest[0] != "0" and rest.isdigit()
    return rest if plausible else ""


def _is_national(dialled: str, plan: DialPlan) -> bool:
    if not (plan.trunk and plan.trunk_needed):
        return _is_whole(dialled, plan)
    return _is_other(dialled, plan)


def _is_whole(national: str, plan: DialPlan) -> bool:
    usual = len(national) in plan.lengths and (national[0] != "0" or plan.code == ITALY)
    return usual or _is_other(national, plan)


def _is_other(national: str, plan: DialPlan) -> bool:
    return any(len(national) == length and national.startswith(h) for h, length in plan.others)


def _is_local(dialled: str, plan: DialPlan, area_code: str) -> bool:
    """Whether the number with the area code in front is a whole national number."""
    return (
        LOCAL_SHORTEST <= len(dialled) <= LOCAL_LONGEST
        and len(dialled) + len(area_code) in plan.lengths
        and dialled[0] not in "01"
    )


def strip_route_prefix(
    dialled: str, rules: Sequence[RoutePrefix], plausible: Callable[[str], bool]
) -> tuple[str, RoutePrefix | None]:
    """Remove what a cascaded device left in front; return the number and the rule that applied.

    The first rule, in order, that gives a plausible number applies, once. With a rule for 0, "00…"
    is 0 + national 0… if the country has such numbers, and international otherwise.
    """
    for rule in rules:
        if not dialled.startswith(rule.prefix):
            continue
        rest = dialled[len(rule.prefix) :]
        if rule.min_rest <= len(rest) <= rule.max_rest and plausible(rule.replacement + rest):
            return rule.replacement + rest, rule
    return dialled, None

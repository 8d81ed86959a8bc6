"""Explain in words how a call was priced: a sentence for each code of the rating steps."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from billing.rating.chain import STEPS
from billing.web.kit import words
from billing.web.kit.formats import day, price
from billing.web.kit.i18n import N_, gettext

SENTENCES: dict[str, str] = {
    "by_pin": N_("The account code in the record belongs to %(account)s."),
    "by_extension": N_("Extension %(extension)s belongs to %(account)s."),
    "by_trunk": N_("Calls that arrive on the trunk %(trunk)s belong to %(account)s."),
    "by_company": N_("No sub-account was found: the call is the company's, %(company)s."),
    "direction": N_("Direction: %(direction)s."),
    "b_leg": N_("This is the second leg of a conversation; the first one is billed."),
    "unanswered": N_("There was no talk time (%(result)s): it costs nothing."),
    "route_prefix": N_(
        "The route prefix %(prefix)s was replaced by %(replacement)s; that gives %(number)s."
    ),
    "short_code": N_("%(number)s is a short number: %(area)s (%(type)s)."),
    "e164": N_("%(dialled)s in its international form is %(number)s."),
    "as_dialled": N_("%(dialled)s has no international form; the dialled digits are used."),
    "attribution": N_("The number plan has the prefix %(prefix)s: %(area)s (%(type)s)."),
    "no_attribution": N_("The number plan has no prefix for %(number)s."),
    "class": N_("Class of the call: %(class)s."),
    "rate": N_(
        "The rate “%(name)s” applies (%(prefix_or_class)s), in force since %(effective_from)s."
    ),
    "free_class": N_("Numbers of the type “%(type)s” cost nothing."),
    "not_charged": N_("Calls of this direction (%(direction)s) cost nothing without a rate."),
    "forbidden": N_(
        "The rate “%(name)s” forbids such calls: the call is flagged and costs nothing."
    ),
    "free_below": N_("With this rate, calls under %(seconds)s s cost nothing."),
    "connect_fee": N_("Connect fee: %(fee)s."),
    "line": N_(
        "%(seconds)s s at %(price)s per %(unit_s)s s, in steps of %(increment_s)s s"
        " (time band “%(band)s”)."
    ),
    "min": N_("The minimum charge of the rate applies: %(amount)s."),
    "max": N_("The maximum charge of the rate applies: %(amount)s."),
    "rounded": N_("Rounded once, to %(decimals)s decimals (%(rounding)s): %(amount)s."),
}
# Sentences that are used if a value is empty.
WITHOUT: dict[tuple[str, str], str] = {
    ("route_prefix", "replacement"): N_(
        "The route prefix %(prefix)s was removed; that gives %(number)s."
    ),
    ("short_code", "area"): N_("%(number)s is a short number (%(type)s)."),
    ("attribution", "area"): N_("The number plan has the prefix %(prefix)s (%(type)s)."),
    ("class", "class"): N_("The call has no class."),
    ("unanswered", "result"): N_("There was no talk time: it costs nothing."),
    ("rate", "effective_from"): N_("The rate “%(name)s” applies (%(prefix_or_class)s)."),
    ("line", "band"): N_(
        "%(seconds)s s at %(price)s per %(unit_s)s s, in steps of %(increment_s)s s."
    ),
}
WORDS: dict[str, dict[str, str]] = {
    "direction": words.DIRECTIONS,
    "result": words.RESULTS,
    "type": words.AREA_TYPES,
    "class": words.CLASSES,
    "prefix_or_class": words.CLASSES | words.DIRECTIONS,
    "rounding": words.ROUNDINGS,
    "name": words.RATE_NAMES,
}
AMOUNTS = ("fee", "price", "amount")


def explain(steps: Sequence[Sequence[str]], currency: str, names: Mapping[str, str]) -> list[str]:
    """Return a sentence for each step; an unknown code is shown unchanged."""
    return [_sentence(code, values, currency, names) for code, *values in steps]


def _sentence(code: str, values: Sequence[str], currency: str, names: Mapping[str, str]) -> str:
    fields = STEPS.get(code)
    if fields is None or code not in SENTENCES or len(fields) != len(values):
        return " ".join([code, *values])
    given = dict(zip(fields, values, strict=True))
    empty = next((name for name, value in given.items() if not value), "")
    sentence = WITHOUT.get((code, empty), SENTENCES[code])
    return gettext(
        sentence, **{name: _shown(name, value, currency, names) for name, value in given.items()}
    )


def _shown(name: str, value: str, currency: str, names: Mapping[str, str]) -> str:
    if name in WORDS:
        return words.word(WORDS[name], value)
    if name in AMOUNTS:
        return _or_unchanged(lambda: price(value, currency), value)
    if name == "effective_from":
        return _or_unchanged(lambda: day(date.fromisoformat(value)), value)
    if name in ("account", "company"):
        return names.get(value) or names.get(f"company:{value}") or value
    return value


def _or_unchanged(show: Callable[[], str], value: str) -> str:
    try:
        return show()
    except (ValueError, ArithmeticError):
        return value

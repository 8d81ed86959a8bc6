"""Whether a password can be guessed, and advice for a better one."""

import re

from zxcvbn import zxcvbn

from billing.values import Refused

SHORTEST = 12
LEAST_GUESSES = 10**10  # zxcvbn's bound for passwords whose hashes were stolen
MOST_CHECKED = 72  # characters; checking more is slow and can't make it weaker
SHORTEST_PART = 3  # shortest part of a name that is searched for
OWN_WORDS = ("contarifa",)


def refuse_weak(password: str, *names: str) -> None:
    """Refuse a password that is short, or easily guessed by who knows the person's `names`."""
    if len(password) < SHORTEST:
        raise Refused("Use at least %(n)s characters.", n=SHORTEST)
    parts = {part for name in names for part in re.split(r"[\W_]+", name.lower())}
    own = "|".join([*OWN_WORDS, *(re.escape(each) for each in parts if len(each) >= SHORTEST_PART)])
    if _weak(password):
        raise _why(_kinds(password, own))
    if _weak(re.sub(own, "", password, flags=re.IGNORECASE)):  # strong without the names too
        raise _why({"own"})


def _weak(password: str) -> bool:
    return not password or zxcvbn(password[:MOST_CHECKED])["guesses"] < LEAST_GUESSES


def _kinds(password: str, own: str) -> set[str]:
    found = {_kind(match) for match in zxcvbn(password[:MOST_CHECKED])["sequence"]}
    return found | ({"own"} if re.search(own, password, re.IGNORECASE) else set())


def _kind(match: dict[str, object]) -> str:
    return {"regex": "date", "spatial": "sequence"}.get(
        str(match["pattern"]), str(match["pattern"])
    )


def _why(kinds: set[str]) -> Refused:
    """Return the refusal for the first of these weaknesses."""
    if "repeat" in kinds:
        return Refused("Repeated characters are easy to guess. Use four unrelated words.")
    if "own" in kinds:
        return Refused("Your name and the product's are easy to guess. Use four unrelated words.")
    if "sequence" in kinds:
        return Refused("Keyboard rows like 1234 are easy to guess. Use four unrelated words.")
    if "date" in kinds:
        return Refused("Years and dates are easy to guess. Use four unrelated words.")
    return Refused("This password is among the first that attackers try. Use four unrelated words.")

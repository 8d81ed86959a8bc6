"""Whether a password can be guessed, and what to do about it."""

import re

from zxcvbn import zxcvbn

from billing.values import Refused

SHORTEST = 12
LEAST_GUESSES = 10**10  # what zxcvbn calls safe from somebody who has the hashes
LOOKED_AT = 72  # characters; more take long and make it no weaker
SHORTEST_PART = 3  # of a name that counts as one
OWN_WORDS = ("contarifa",)


def refuse_weak(password: str, *names: str) -> None:
    """Refuse a password that is short or easily guessed, by who knows `names` (the person's)."""
    if len(password) < SHORTEST:
        raise Refused("Use at least %(n)s characters.", n=SHORTEST)
    parts = {part for name in names for part in re.split(r"[\W_]+", name.lower())}
    own = "|".join([*OWN_WORDS, *(re.escape(each) for each in parts if len(each) >= SHORTEST_PART)])
    if _weak(password):
        raise _why(_kinds(password, own))
    if _weak(re.sub(own, "", password, flags=re.IGNORECASE)):  # the rest must be strong alone
        raise _why({"own"})


def _weak(password: str) -> bool:
    return not password or zxcvbn(password[:LOOKED_AT])["guesses"] < LEAST_GUESSES


def _kinds(password: str, own: str) -> set[str]:
    found = {_kind(match) for match in zxcvbn(password[:LOOKED_AT])["sequence"]}
    return found | ({"own"} if re.search(own, password, re.IGNORECASE) else set())


def _kind(match: dict[str, object]) -> str:
    return {"regex": "date", "spatial": "sequence"}.get(
        str(match["pattern"]), str(match["pattern"])
    )


def _why(kinds: set[str]) -> Refused:
    """What is wrong with it and what to do: the first of these that is true."""
    if "repeat" in kinds:
        return Refused("Repeated characters are easy to guess. Use four words that are unrelated.")
    if "own" in kinds:
        return Refused(
            "Your name and the product's are easy to guess. Use four words that are unrelated."
        )
    if "sequence" in kinds:
        return Refused(
            "Rows of keys like 1234 are easy to guess. Use four words that are unrelated."
        )
    if "date" in kinds:
        return Refused("Years and dates are easy to guess. Use four words that are unrelated.")
    return Refused("This is among the first that are tried. Use four words that are unrelated.")

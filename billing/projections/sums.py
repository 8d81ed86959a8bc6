"""Sums of calls by key, collected for a batch before they are written."""

from collections.abc import Sequence
from typing import Any

Key = tuple[Any, ...]
# Calls, talk milliseconds, billed seconds, micro-units, number of answered calls.
Sums = dict[Key, list[int]]


def add(sums: Sums, key: Key, figures: Sequence[int], answered: int = 0) -> None:
    """Add the first four figures to those of a key. Hot: runs several times per call."""
    found = sums.get(key)
    if found is None:
        sums[key] = [*figures[:4], answered]
    else:
        found[0] += figures[0]
        found[1] += figures[1]
        found[2] += figures[2]
        found[3] += figures[3]
        found[4] += answered

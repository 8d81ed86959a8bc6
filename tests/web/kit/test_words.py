"""The texts of the pages keep to docs/glossary.md, in both languages."""

import re
from collections.abc import Iterator
from pathlib import Path

from billing.web.kit.i18n import TRANSLATIONS
from tests.web.kit.test_translations import translated as translated_texts

GLOSSARY = Path(__file__).parents[3] / "docs" / "glossary.md"
TEMPLATES = TRANSLATIONS.parent / "templates"
WIDTH = 120
ENDINGS = (("ión", "i(?:ón|ones)"), ("o", "[oa]s?"), ("a", "[oa]s?"), ("e", "es?"))
PLACEHOLDER = re.compile(r"%\(\w+\)s")


def table(title: str) -> list[list[str]]:
    """The rows of the table under a title of the glossary."""
    part = GLOSSARY.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]
    rows = [line[1:-1].split("|") for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def words(cell: str) -> list[str]:
    """The words of a cell, which commas separate."""
    return [word.strip() for word in cell.split(",") if word.strip()]


def texts() -> Iterator[tuple[str, str]]:
    """Every text of the catalogue with its Spanish one; a plural is a text of its own."""
    for (_, text), translated in translated_texts().items():
        yield from zip((text,) if isinstance(text, str) else text, translated, strict=True)


def any_of(terms: list[str]) -> re.Pattern[str]:
    """Finds one of these as whole words, in any case."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(terms)})(?!\w)", re.IGNORECASE)


def english(term: str) -> str:
    """The pattern of an English term, singular and plural."""
    return re.sub(r"y$", "(?:y|ies)", re.escape(term)) + ("" if term.endswith("y") else "(?:e?s)?")


def spanish(term: str) -> str:
    """The pattern of a Spanish term, in both numbers and genders."""
    return r"\s".join(_inflected(word) for word in term.split())


def _inflected(word: str) -> str:
    for ending, pattern in ENDINGS:
        if word.endswith(ending) and len(word) > 3:
            return re.escape(word.removesuffix(ending)) + pattern
    return re.escape(word) + "(?:e?s)?"


def test_no_text_has_a_word_that_is_not_used() -> None:
    for place, language in enumerate(("English", "Spanish")):
        unwanted = any_of(
            [
                re.escape(word)
                for row in table(f"Words not to use in {language}")
                for word in words(row[0])
            ]
        )
        found = [
            (each.group(), pair[place])
            for pair in texts()
            if (each := unwanted.search(PLACEHOLDER.sub("", pair[place])))
        ]
        assert found == []


def test_every_term_is_translated_one_way() -> None:
    reasons = {row[0] for row in table("Texts that differ, and why")}
    terms = [(term, row) for row in table("Terms") for term in words(row[0])]
    terms.sort(key=lambda each: -len(each[0]))
    wanted = [
        (
            term,
            any_of([english(term)]),
            any_of([spanish(way) for way in words(f"{row[1]}, {row[2]}")]),
        )
        for term, row in terms
    ]
    wrong = []
    for text, translated in texts():
        rest = PLACEHOLDER.sub("", text)
        for term, said, ways in wanted:
            if said.search(rest):
                rest = said.sub("", rest)
                if text not in reasons and not ways.search(translated):
                    wrong.append((term, text, translated))
    assert wrong == []


def test_every_text_that_differs_is_still_there() -> None:
    there = {text for text, _ in texts()}
    assert {row[0] for row in table("Texts that differ, and why")} - there == set()


def test_no_line_of_a_template_is_too_long() -> None:
    long = [
        f"{path.relative_to(TEMPLATES)}:{number}"
        for path in sorted(TEMPLATES.rglob("*.html"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > WIDTH
    ]
    assert long == []


AFTER_TEXT = re.compile(r'.{0,30}(?:%}|}}|</a>) <span class="state[^>]*>')


def test_a_badge_after_a_text_does_not_cover_it() -> None:
    """A badge is moved to the left, so that it stands below the head of its column."""
    covering = [
        f"{path.relative_to(TEMPLATES)}: {found[0]}"
        for path in sorted(TEMPLATES.rglob("*.html"))
        for found in AFTER_TEXT.finditer(path.read_text())
        if "beside" not in found[0] and "</span>{%" not in found[0]
    ]
    assert covering == []

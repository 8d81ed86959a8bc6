"""Comments, docstrings and the pages of docs/ are plain English: docs/glossary.md has the rules."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.test_references import ROOT, SOURCES, texts
from tests.web.kit.test_words import GLOSSARY, table, words

PROSE = [path for path in SOURCES if path.suffix in {".py", ".md"} and path != GLOSSARY]
MODULES = [path for path in SOURCES if path.suffix == ".py"]
NAMES = re.compile(r"`[^`]*`|\([\w./-]+\)")  # of code, and the targets of links
LIKELY = re.compile(r'""".*?"""|#[^\n]*', re.DOTALL)  # comments, docstrings, and some strings
BARE_ADDRESS = re.compile(r"(?<! ip)(?<! ipv)(?<! mail) address(?:es)? (?!space)")
INVERTED = re.compile(r'"""(?:Of|Whose|Whom|To whom|By whom) .*')  # what comes last comes first
UNCLEAR = re.compile(r"[(,\s](?:but|beside): [^\n]*[,)=]")  # a parameter


def plain(text: str) -> str:
    """Return a text in lower case as words with a space before, between and after them."""
    return f" {re.sub('[^a-z]+', ' ', text.lower()).strip()} "


UNWANTED = [
    plain(word) for row in table("Words not to use in code and documents") for word in words(row[0])
]


def unwanted(text: str) -> list[str]:
    """Return the words of a text that are not used."""
    prose = plain(text)
    found = [each for each in UNWANTED if each in prose]
    return found + BARE_ADDRESS.findall(prose)


def unwanted_in(path: Path) -> Iterator[str]:
    """Yield the places of a file with words that are not used."""
    text = path.read_text()
    likely = " ".join(LIKELY.findall(text)) if path.suffix == ".py" else text
    if not unwanted(likely):  # spares most files the slow way
        return
    for line, text in texts(path):
        for found in unwanted(NAMES.sub("", text)):
            yield f"{path.relative_to(ROOT)}:{line}:{found}"


def test_no_comment_docstring_or_page_has_a_word_that_is_not_used() -> None:
    assert [place for path in PROSE for place in unwanted_in(path)] == []


def test_no_docstring_begins_with_its_end_and_no_parameter_has_an_unclear_name() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in MODULES
        for line in (INVERTED.findall(path.read_text()) + UNCLEAR.findall(path.read_text()))
    ]
    assert found == []

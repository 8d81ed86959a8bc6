"""Every file, folder and decision named in a comment, a docstring or a page of docs exists."""

import ast
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [
    path
    for folder in ("billing", "tests", "docs", "migrations", ".")
    for path in sorted((ROOT / folder).glob("*" if folder == "." else "**/*"))
    if path.suffix in {".py", ".md", ".sql", ".toml"} or path.name == "Makefile"
]
FILE = re.compile(r"(?<![\w./*<>{}-])[\w-][\w./-]*\.(?:py|md|sql|toml|css|js)\b(?![\w(])")
FOLDER = re.compile(r"`([a-z_]+(?:/[a-z_]+)*/)`")
DECISION = re.compile(r"\bdecisions?[ /]([0-9]{4})\b")
# Made by the service while it runs; the place of the guide in the wheel.
MADE = {"data/", "billing/web/system/uso-del-sistema.md"}
BARE = Counter(path.name for path in (ROOT / "billing").rglob("*.py"))


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the prose of a file with line numbers: comments and docstrings of code, else all."""
    if path.suffix != ".py":
        yield from enumerate(path.read_text().splitlines(), 1)
        return
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield getattr(node, "lineno", 1), ast.get_docstring(node) or ""


def exists(name: str, path: Path) -> bool:
    """Return whether a name is unique: from the root, from billing/, next to the file, or alone."""
    places = (ROOT, ROOT / "billing", path.parent)
    return BARE[name] == 1 or any((place / name).exists() for place in places)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_file_names_exists(path: Path) -> None:
    decisions = {each.name[:4] for each in (ROOT / "docs" / "decisions").iterdir()}
    for line, text in texts(path):
        named = FILE.findall(text) + (FOLDER.findall(text) if path.suffix == ".md" else [])
        missing = [name for name in named if name not in MADE and not exists(name, path)]
        missing += [each for each in DECISION.findall(text) if each not in decisions]
        assert not missing, f"{path.relative_to(ROOT)}:{line} names {missing}"

"""Which room may name which SQL table: the table of docs/architecture.md against the code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "billing").rglob("*.py"))
HEAD = "| tables | rooms that name them |"
# The words before a table's name in a statement. A partition is named by its pattern.
NAMED = re.compile(
    r"\b(?:from|join|into|update|table|copy|truncate|using|only)\s+(?:if\s+(?:not\s+)?exists\s+)?"
    r"([a-z_]+)\b",
    re.IGNORECASE,
)
CREATED = re.compile(r"create (?:unlogged )?table (?:if not exists )?([a-z_]+)\b", re.IGNORECASE)


def texts(path: Path) -> Iterator[str]:
    """Yield every text of a module that is not a docstring; {} for the fields of f-strings."""
    skipped = set[int]()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
        elif isinstance(node, ast.Constant) and id(node) not in skipped:
            if isinstance(node.value, bytes):
                yield node.value.decode(errors="replace")
            elif isinstance(node.value, str):
                yield node.value


def tables() -> set[str]:
    """Return the tables that migrations make, and those that the code makes itself."""
    sources = [path.read_text() for path in (ROOT / "migrations").glob("*.sql")]
    sources += [text for path in FILES for text in texts(path)]
    found = {name for text in sources for name in CREATED.findall(text)}
    return {name for name in found if not name.endswith("_")}  # partitions that are made in a loop


def law() -> list[tuple[str, str]]:
    """Return the pairs of table and room in docs/architecture.md."""
    lines = (ROOT / "docs" / "architecture.md").read_text().split(HEAD)[1].splitlines()[2:]
    pairs = []
    for line in lines:
        if not line.startswith("|"):
            break
        named, rooms = line.strip("| ").split(" | ")
        pairs += [
            (table, room) for table in re.findall(r"`(\w+)`", named) for room in rooms.split(", ")
        ]
    return pairs


def test_rooms_name_the_tables_that_architecture_says() -> None:
    known, allowed = tables(), law()
    found = set[tuple[str, str]]()
    for path in FILES:
        inside = path.relative_to(ROOT / "billing").as_posix()
        room = inside.split("/")[0].removesuffix(".py")
        for table in {name for text in texts(path) for name in NAMED.findall(text)} & known:
            assert (table, room) in allowed, f"{inside} names {table}: see docs/architecture.md"
            found.add((table, room))
    unused = sorted(set(allowed) - found)
    assert not unused, "docs/architecture.md admits what no statement needs"
    assert len(allowed) == len(set(allowed)), "a table stands in one row"

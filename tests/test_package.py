"""The package: one version, its changelog, and a lock file that covers every dependency."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from billing import __version__
from billing.cli.main import parser

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()
LOCKED = re.compile(
    r"^([a-z0-9][a-z0-9._-]*)==(\S+)(?: ; [^\\\n]+)?((?: \\\n    --hash=\S+)*)$", re.MULTILINE
)


def wanted() -> list[Requirement]:
    """Return every package that running, testing and building needs."""
    project = PROJECT["project"]
    texts = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    texts += [*PROJECT["dependency-groups"]["build"], *PROJECT["build-system"]["requires"]]
    return [Requirement(text) for text in texts]


def test_the_lock_gives_every_package_a_hash_and_names_no_index() -> None:
    found = LOCKED.findall(LOCK)
    assert len(found) == len(re.findall(r"^[a-z0-9]", LOCK, re.MULTILINE))
    for name, _, hashes in found:
        assert re.fullmatch(r"(?: \\\n    --hash=sha256:[0-9a-f]{64})+", hashes), name
    options = [line for line in LOCK.splitlines() if line.startswith("-")]
    assert options == []
    assert "://" not in LOCK
    assert "file:" not in LOCK


@pytest.mark.parametrize("requirement", wanted(), ids=lambda each: each.name)
def test_the_lock_satisfies_what_is_required(requirement: Requirement) -> None:
    versions = [
        version
        for name, version, _ in LOCKED.findall(LOCK)
        if name == canonicalize_name(requirement.name)
    ]
    assert versions, "make lock"
    assert all(requirement.specifier.contains(version) for version in versions)


def test_the_command_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["--version"])
    assert capsys.readouterr().out == f"contarifa {__version__}\n"


def test_the_changelog_begins_with_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    first = re.search(r"^## (\S+)(?: \((\d{4}-\d\d-\d\d)\))?", text, re.MULTILINE)
    assert first
    assert first[1] in (__version__, "Unreleased")
    dated = re.findall(r"^## (?!Unreleased)(.*)$", text, re.MULTILINE)
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\)(: .*)?", each) for each in dated)

"""The commands of keeping in separate processes, and processes that are killed."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from billing.commands.keeping import load_keeping
from billing.database import migrate, migrations
from billing.keeping.archive import archive
from billing.keeping.keeper import Keeper
from billing.keeping.verifying import verify
from tests.conftest import fresh_database
from tests.keeping.sample import LATER, MONTH, sums

KILLED = """
import os, signal, sys
from pathlib import Path
from billing.keeping.archive import archive
from billing.keeping.keeper import Keeper
from billing.log.store import Store
from tests.keeping.sample import LATER, MONTH

def die(share):
    if share >= float(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

folder = Path(sys.argv[2])
keeper = Keeper(sys.argv[1], Store(sys.argv[1]), folder / "archives", folder / "backups")
archive(keeper, MONTH, LATER, die)
"""


@pytest.fixture
def empty_url(server_url: str) -> Iterator[str]:
    """The URL of a database without tables."""
    with fresh_database(server_url, "template0") as url:
        yield url


def billing(url: str, folder: Path, *words: str, code: int = 0) -> str:
    done = billing_says(url, folder, *words)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def billing_says(url: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATABASE_URL": url, "BILLING_DATA_DIR": str(folder)}
    return subprocess.run(  # noqa: S603 -- ourselves
        [sys.executable, "-m", "billing", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )


# While the file is written, before the archive is in the log, and before the month is dropped.
@pytest.mark.parametrize("share", ["0.4", "0.8", "0.95"])
def test_an_archiving_that_was_killed_is_ended_by_the_next(
    keeper: Keeper, tmp_path: Path, share: str
) -> None:
    before = sums(keeper.url)
    command = [sys.executable, "-c", KILLED, keeper.url, str(tmp_path), share]
    ended = subprocess.run(command, check=False, timeout=60)  # noqa: S603 -- ourselves
    assert ended.returncode == -signal.SIGKILL
    assert len(load_keeping(keeper.store).parts) == (share == "0.95")
    (part,) = archive(keeper, MONTH, LATER)
    assert (keeper.archives / part.file).is_file()
    verdict = verify(keeper.url, folder=keeper.archives)
    assert (verdict.fault, verdict.missing) == ("", ())
    assert sums(keeper.url) == before


def test_a_backup_is_made_and_restored_by_commands(
    keeper: Keeper, empty_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "everything.backup"
    assert "SHA-256:" in billing(keeper.url, tmp_path, "backup", str(file))
    checked = subprocess.run(  # noqa: S603 -- a program of the system
        ["sha256sum", "-c", f"{file.name}.sha256"],  # noqa: S607 -- found in the path
        cwd=tmp_path,
        check=False,
        capture_output=True,
    )
    assert checked.returncode == 0
    assert "Restored: " in billing(empty_url, tmp_path / "new", "restore", str(file))
    assert "all fit" in billing(empty_url, tmp_path / "new", "verify")
    assert sums(empty_url) == sums(keeper.url)
    again = billing(empty_url, tmp_path / "new", "restore", str(file), code=1)
    assert "The database is not empty; nothing was changed." in again


def test_verify_fails_where_the_file_of_a_month_is_missing_cut_or_altered(
    keeper: Keeper, tmp_path: Path
) -> None:
    (part,) = archive(keeper, MONTH, LATER)
    assert "all fit" in billing(keeper.url, tmp_path, "verify")
    path = keeper.archives / part.file
    whole = path.read_bytes()
    for content in (whole[:-200], whole[:900] + b"?" + whole[901:], b"", None):
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        done = billing_says(keeper.url, tmp_path, "verify")
        assert done.returncode == 1
        assert "archived events are missing" in done.stdout
        assert f"Missing, {MONTH}: " in done.stdout
        assert "all fit" not in done.stdout
    said = billing(keeper.url, tmp_path, "verify", "--without-archives")
    assert "all fit" in said
    left_out = f"Not checked (--without-archives), {MONTH}: {part.events} events in {part.file}"
    assert left_out in said


def test_processes_that_upgrade_at_once_apply_each_migration_once(
    empty_url: str, tmp_path: Path
) -> None:
    environment = {**os.environ, "DATABASE_URL": empty_url, "BILLING_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "billing", "migrate"]
    both = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603 -- ourselves
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(line for text in said for line in text.splitlines() if "applied" in line) == [
        f"applied {name}" for name in sorted(migrations())
    ]


def test_an_older_program_leaves_a_newer_database_alone(empty_url: str, tmp_path: Path) -> None:
    migrate(empty_url)
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute("insert into migrations (name, sha256) values ('9999_later', '00')")
    for words in (("migrate",), ("serve",), ("verify",), ("backup",)):
        said = billing(empty_url, tmp_path, *words, code=1)
        assert "The database is newer than this program (9999_later)." in said, words
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute("delete from migrations where name = '9999_later'")
        connection.execute("update migrations set sha256 = '00' where name like '0001%'")
    said = billing(empty_url, tmp_path, "migrate", code=1)
    assert "was edited after its use" in said


@pytest.mark.parametrize(("answer", "made"), [("", 1), ("n", 0)])
def test_a_person_who_upgrades_is_offered_a_backup(
    empty_url: str, tmp_path: Path, answer: str, made: int
) -> None:
    migrate(empty_url, only=sorted(migrations())[:-1])
    environment = {**os.environ, "DATABASE_URL": empty_url, "BILLING_DATA_DIR": str(tmp_path)}
    theirs, ours = pty.openpty()
    os.write(theirs, f"{answer}\n".encode())
    done = subprocess.run(
        [sys.executable, "-m", "billing", "migrate"],
        env=environment,
        stdin=ours,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    os.close(theirs)
    os.close(ours)
    assert "Back up first?" in done.stdout
    assert len(list((tmp_path / "backups").glob("before-upgrade-*.backup"))) == made


def test_an_upgrade_backs_up_before_if_it_is_asked_to(empty_url: str, tmp_path: Path) -> None:
    *older, newest = sorted(migrations())
    migrate(empty_url, only=older)
    said = billing(empty_url, tmp_path, "migrate", "--backup")
    assert "Backed up to" in said
    assert f"applied {newest}" in said
    (made,) = (tmp_path / "backups").glob("before-upgrade-*.backup")
    assert made.stat().st_size > 0
    assert "up to date" in billing(empty_url, tmp_path, "migrate", "--backup")

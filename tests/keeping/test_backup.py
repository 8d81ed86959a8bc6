"""Back up, wipe, restore: equal to the last figure; and every file that must be refused."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import psycopg
import pytest

from billing.aggregates.event import Event
from billing.commands import devices
from billing.commands.keeping import SetKeeping, set_keeping
from billing.database import migrate
from billing.keeping import archive_format, backup
from billing.keeping.archive import archive
from billing.keeping.archive_format import check, writing
from billing.keeping.keeper import Keeper
from billing.keeping.new_files import UNFINISHED, sweep
from billing.keeping.restore import restore, restore_calls
from billing.keeping.verifying import verify
from billing.log.store import Store
from billing.periods import Period
from billing.values import Refused
from tests.conftest import fresh_database
from tests.keeping.sample import (
    LATER,
    MONTH,
    catch_up,
    close_books_until,
    install,
    keeper_of,
    listed,
    no_room,
    rows,
    sums,
    write_off_suspended,
)
from tests.projections.sample import ZONE, append, received, stream

LOG = "select notification_id, originator_id, originator_version, topic, state from billing_events"
SEALS = "select last_position, seal from seals"
CREDENTIALS = "select account, device_id, password_hash from device_credentials"


@pytest.fixture
def other_url(server_url: str, template: str) -> Iterator[str]:
    """The URL of another, equally empty database."""
    with fresh_database(server_url, template) as url:
        yield url


@pytest.fixture
def full(keeper: Keeper) -> Path:
    """A full backup of an installation with an archived month."""
    with psycopg.connect(keeper.url, autocommit=True) as connection:
        devices.issue_device_password(connection, "pbx", "acc", "s3cret-of-a-device")
    archive(keeper, MONTH, LATER)
    catch_up(keeper)
    return keeper.backups / backup.back_up(keeper, LATER).file


def test_what_was_backed_up_is_restored_equal_and_proved(
    keeper: Keeper, full: Path, other_url: str, tmp_path: Path
) -> None:
    before = {
        **sums(keeper.url),
        **rows(keeper.url, CREDENTIALS, "select * from archived_calls"),
    }
    told: list[str] = []
    proof = restore(other_url, full, tmp_path / "elsewhere", ZONE, told.append)
    assert proof.compared
    assert {**sums(other_url), **rows(other_url, CREDENTIALS, "select * from archived_calls")} == (
        before
    )
    assert listed(other_url) == listed(keeper.url)
    # The log has one event more: the one about the backup.
    assert set(rows(other_url, LOG)[LOG]) < set(rows(keeper.url, LOG)[LOG])
    assert set(rows(other_url, SEALS)[SEALS]) < set(rows(keeper.url, SEALS)[SEALS])
    verdict = verify(other_url, folder=tmp_path / "elsewhere")
    assert (verdict.fault, verdict.missing, verdict.events) == ("", (), proof.events)
    store = Store(other_url)
    assert set_keeping(store, SetKeeping(months=3, backup_days=0, backups_kept=1), LATER) > 0
    store.close()
    assert verify(other_url, folder=tmp_path / "elsewhere").fault == ""
    with pytest.raises(Refused, match="not empty"):
        restore(other_url, full, tmp_path / "elsewhere", ZONE)


def test_a_damaged_cut_newer_or_foreign_file_is_refused_with_the_reason(
    full: Path, other_url: str, tmp_path: Path
) -> None:
    data = full.read_bytes()
    for name, content, reason in (
        ("flipped", data[:900] + bytes([data[900] ^ 4]) + data[901:], "damaged"),
        ("flipped-at-the-end", data[:-8] + b"x" + data[-7:], "damaged"),
        ("cut", data[: len(data) // 3], "is truncated"),
        ("emptied", b"", "neither an archive nor a backup"),
        ("foreign", b"PK\x03\x04" + bytes(5_000), "neither an archive nor a backup"),
        ("newer", data.replace(b'"format":1', b'"format":2', 1), "newer program"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(Refused, match=reason):
            restore(other_url, path, tmp_path, ZONE)
    made = check(full, ("full",))
    later = msgspec.structs.replace(made, migrations={**made.migrations, "9999_later": "00"})
    with writing(tmp_path / "later", later) as writer:
        writer.finish(backup.Manifest(events=0))
    with pytest.raises(Refused, match=r"newer program \(.*9999_later\)"):
        restore(other_url, tmp_path / "later", tmp_path, ZONE)
    assert migrate(other_url) == []  # it is not marked as partly restored any more


def test_a_full_disk_leaves_no_half_backup_and_no_note_of_one(keeper: Keeper) -> None:
    with no_room(), pytest.raises(Refused, match="could not be written"):
        backup.back_up(keeper, LATER)
    assert list(keeper.backups.iterdir()) == []
    assert backup.backups_made(keeper.store) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a small file system that is nearly full."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:  # noqa: S603 -- a program of the system
        pytest.skip("no file system may be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)  # noqa: S603, S607 -- a program of the system


def test_on_a_disk_that_is_really_full_nothing_is_lost_and_the_reason_is_told(
    keeper: Keeper, full: Path, other_url: str, small_disk: Path, tmp_path: Path
) -> None:
    (small_disk / "filling").write_bytes(bytes(16 << 10))
    crowded = Keeper(keeper.url, keeper.store, small_disk / "archives", small_disk / "backups")
    for work in (
        lambda: backup.back_up(crowded, LATER),
        lambda: restore(other_url, full, small_disk / "archives", ZONE),
    ):
        with pytest.raises(Refused, match="could not be written: No space left on device"):
            work()
    left = [path.name for path in small_disk.rglob("*") if path.is_file()]
    assert left == ["filling"]
    assert len(backup.backups_made(keeper.store)) == 1
    verdict = verify(keeper.url, folder=keeper.archives)
    assert (verdict.fault, verdict.missing) == ("", ())
    with pytest.raises(Refused, match="only partly restored"):
        migrate(other_url)
    restore(other_url, full, tmp_path / "elsewhere", ZONE)  # with space it completes
    assert sums(other_url) == sums(keeper.url)
    write_off_suspended(keeper, "2026-11", LATER)
    close_books_until(keeper, datetime(2027, 4, 3, tzinfo=UTC))
    with pytest.raises(Refused, match="could not be written: No space left on device"):
        archive(crowded, "2026-11", LATER)
    assert [path.name for path in small_disk.rglob("*") if path.is_file()] == ["filling"]


KILLED_BACKUP = """
import os, signal, sys
from pathlib import Path
from billing.keeping import backup
from billing.keeping.keeper import Keeper
from billing.log.store import Store
from tests.keeping.sample import LATER

folder = Path(sys.argv[2])
keeper = Keeper(sys.argv[1], Store(sys.argv[1]), folder / "archives", folder / "backups")
backup.back_up(keeper, LATER, progress=lambda _: os.kill(os.getpid(), signal.SIGKILL))
"""


def test_a_backup_that_was_killed_is_no_backup_and_the_next_one_is(
    keeper: Keeper, other_url: str, tmp_path: Path
) -> None:
    append(keeper.store, [(stream(each), each) for each in map(many, range(archive_format.ROWS))])
    catch_up(keeper)
    command = [sys.executable, "-c", KILLED_BACKUP, keeper.url, str(tmp_path)]
    ended = subprocess.run(command, check=False, timeout=60)  # noqa: S603 -- ourselves
    assert ended.returncode == -signal.SIGKILL
    (half,) = keeper.backups.iterdir()
    assert half.name.endswith(UNFINISHED)
    assert backup.backups_made(keeper.store) == []
    assert sweep(keeper.backups) == [half.name]
    made = backup.back_up(keeper, LATER)
    restore(other_url, keeper.backups / made.file, tmp_path / "elsewhere", ZONE)
    assert sums(other_url) == sums(keeper.url)


def many(number: int) -> Event:
    return received(number, 1_000 + number)


KILLED = """
import os, signal, sys
from pathlib import Path
from billing.keeping.new_files import UNFINISHED, sweep
from billing.keeping.restore import restore

def die(said):
    if sys.argv[4] in said:
        os.kill(os.getpid(), signal.SIGKILL)

restore(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), "Europe/Madrid", die)
"""


@pytest.mark.parametrize("moment", ["whole", "loaded", "seals"])
def test_a_database_says_that_it_is_half_restored_after_a_kill(
    keeper: Keeper, full: Path, other_url: str, tmp_path: Path, moment: str
) -> None:
    folder = tmp_path / "elsewhere"
    command = [sys.executable, "-c", KILLED, other_url, str(full), str(folder), moment]
    ended = subprocess.run(command, check=False, timeout=60)  # noqa: S603 -- ourselves
    assert ended.returncode == -signal.SIGKILL
    if moment != "whole":  # before anything was changed
        with pytest.raises(Refused, match=r"only partly restored. Run `billing restore .*full-"):
            migrate(other_url)
    restore(other_url, full, folder, ZONE)
    assert migrate(other_url) == []
    assert sums(other_url) == sums(keeper.url)


def test_the_calls_of_a_period_are_backed_up_and_come_back_where_they_are_missing(
    keeper: Keeper, store: Store, other_url: str, tmp_path: Path
) -> None:
    with psycopg.connect(keeper.url) as connection:
        ((expected,),) = connection.execute(
            "select count(*) from call_list where started_at >= '2026-10-29T23:00Z'"
            " and started_at < '2026-11-03T23:00Z'"
        ).fetchall()
    archive(keeper, MONTH, LATER)  # now half of the period is in a file
    period = Period(date(2026, 10, 30), date(2026, 11, 3))
    made = backup.back_up_calls(keeper, period, ZoneInfo(ZONE), LATER)
    file = keeper.backups / made.file
    assert made.events >= expected
    assert restore_calls(keeper, file, LATER) == (made.events, 0)
    other = Store(other_url)
    elsewhere = keeper_of(other_url, other, tmp_path / "elsewhere")
    install(elsewhere, calls=0)
    assert restore_calls(elsewhere, file, LATER) == (made.events, made.events)
    assert restore_calls(elsewhere, file, LATER) == (made.events, 0)
    catch_up(elsewhere)
    assert len(listed(other_url)) == expected
    other.close()
    with pytest.raises(Refused, match="no calls in this period"):
        backup.back_up_calls(
            keeper, Period(date(2020, 1, 1), date(2020, 1, 2)), ZoneInfo(ZONE), LATER
        )


def test_an_installation_that_was_wiped_is_there_again_to_the_last_figure(
    keeper: Keeper, full: Path, tmp_path: Path
) -> None:
    safe = full.rename(tmp_path / full.name)
    before, calls = sums(keeper.url), listed(keeper.url)
    keeper.store.close()
    with psycopg.connect(keeper.url, autocommit=True) as connection:
        connection.execute("drop schema public cascade")
        connection.execute("create schema public")
    for folder in (keeper.archives, keeper.backups):
        shutil.rmtree(folder)
    proof = restore(keeper.url, safe, keeper.archives, ZONE)
    assert sums(keeper.url) == before
    assert listed(keeper.url) == calls
    verdict = verify(keeper.url, folder=keeper.archives)
    assert (verdict.fault, verdict.missing, verdict.events) == ("", (), proof.events)

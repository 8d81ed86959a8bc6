"""The folder of files that are made to be sent: limited, temporary, and what a full disk does."""

import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from billing.queries import calls
from billing.web.services import export_folder, export_jobs
from billing.web.services.export_folder import ExportFolder
from tests.web.serving import SignIn, add_administrator, add_token, install, served

LEAVE = """
import os, signal, sys
from pathlib import Path
from billing.web.services.export_folder import ExportFolder
folder = ExportFolder(Path(sys.argv[1]))
with folder.create() as file:
    file.write(b"calls of a customer")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for little."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:  # noqa: S603 -- of the system
        pytest.skip("no file system may be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)  # noqa: S603, S607 -- of the system


@pytest.fixture
def installed(database_url: str) -> str:
    """Calls that make a file of 2 MB, and an administrator called marta; the database."""
    install(database_url)
    add_administrator(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update call_list set area = repeat('x', 12000)")
    return database_url


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_makes_stays(
    tmp_path: Path,
) -> None:
    parent = tmp_path / "exports"
    living = ExportFolder(parent)
    with living.create() as file:
        file.write(b"here")
    killed = subprocess.run([sys.executable, "-c", LEAVE, str(parent)], check=False)  # noqa: S603 -- ourselves
    assert killed.returncode == -signal.SIGKILL
    assert len(list(parent.glob("*/*"))) == 2
    started = ExportFolder(parent)
    own = started.make()
    assert list(parent.glob("*/*")) == [file.path]
    assert own.stat().st_mode & 0o077 == 0, "nobody else reads what is in it"
    for folder in (living, started):
        folder.close()
    assert list(parent.iterdir()) == []


@pytest.mark.parametrize("least_free", [0, export_folder.LEAST_FREE])
def test_a_full_disk_is_told_of_and_leaves_nothing(  # noqa: PLR0917 -- fixtures
    installed: str,
    small_disk: Path,
    sign_in: SignIn,
    least_free: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(export_folder, "LEAST_FREE", least_free)
    token = {"authorization": f"Bearer {add_token(installed, 'calls')}", "accept-language": "en"}
    with served(installed, small_disk) as address, caplog.at_level(logging.WARNING):
        client = sign_in(address)
        if least_free:
            (small_disk / "filling").write_bytes(bytes((1 << 20) - 20_000))
        told = client.get("/calls/export.csv", follow_redirects=True)
        assert "There is not enough space on the disk" in told.text
        for kind in ("csv", "xlsx") if least_free else ("csv",):
            answer = httpx.get(f"{address}/calls/export.{kind}", headers=token, timeout=60)
            assert answer.status_code == 507, answer.text
            assert "enough space" in answer.json()["detail"]
        assert list(small_disk.glob("exports/*/*")) == []
        assert client.get("/calls").status_code == 200
        assert all(record.exc_info is None for record in caplog.records), "a line, no traceback"
        assert "the disk is full" in caplog.text


def test_a_file_that_fails_half_way_is_never_taken_for_whole(
    installed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.web.files.delivery.PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(calls, "EXPORT_CHUNK", 10)
    monkeypatch.setattr(export_folder, "LOOK_BYTES", 400_000)
    monkeypatch.setattr(export_folder, "MOST_BYTES", 900_000)
    token = {"authorization": f"Bearer {add_token(installed, 'calls')}", "accept-language": "en"}
    with served(installed, tmp_path) as address:
        try:
            answer = httpx.get(f"{address}/calls/export.csv", headers=token, timeout=60)
        except httpx.RemoteProtocolError as error:
            assert "incomplete" in str(error)  # noqa: PT017 -- the other outcome is fine, too
        else:
            assert answer.status_code == 507
    assert list(tmp_path.glob("exports/*/*")) == []


def test_where_too_many_are_made_others_are_told_to_wait(
    installed: str, tmp_path: Path, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.web.files.delivery.PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(export_jobs, "MOST_UNDERWAY", 1)
    add_administrator(installed, "otra")
    token = {"authorization": f"Bearer {add_token(installed, 'accounts', name='otra')}"}
    with served(installed, tmp_path) as address, psycopg.connect(installed) as connection:
        connection.execute("lock table call_list in access exclusive mode")
        assert sign_in(address).get("/calls/export.csv").is_redirect
        refused = sign_in(address, "otra").get("/companies/export.csv")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
        assert "Too many files are being prepared" in refused.text
        told = httpx.get(f"{address}/companies/export.csv", headers=token, timeout=60)
        assert (told.status_code, told.json()["status"]) == (503, 503)
        connection.rollback()

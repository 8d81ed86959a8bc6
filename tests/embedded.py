"""Data directories to kill servers in and to damage, for tests of the embedded server."""

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from billing.database.embedded import EmbeddedServer
from billing.database.processes import end_server, processes_of

PATIENCE = 120.0
MEMORY = Path("/dev/shm")  # noqa: S108 -- only folders of our own are made there
LEAST_ROOM = 4_000_000_000  # bytes, for the servers of all workers


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """Yield a folder that the server's user may enter; end its servers and remove it afterwards.

    It is in memory if there is room: a server with fsync off is refused, and tests need no disk.
    """
    within = MEMORY if MEMORY.exists() and shutil.disk_usage(MEMORY).free > LEAST_ROOM else None
    with tempfile.TemporaryDirectory(dir=within, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        try:
            yield folder
        finally:
            end_all(folder)


def end_all(folder: Path) -> None:
    """End the servers of every data directory below."""
    for made in folder.rglob("PG_VERSION"):
        if made.parent.name != "base" and (made.parent / "global").exists():
            data = made.parent.resolve()
            for process in processes_of(data, data.stat().st_uid):
                end_server(process, 0.1)


@contextlib.contextmanager
def made_once() -> Iterator[Path]:
    """Return a data directory with an empty database and no server: copy it."""
    with open_folder() as folder:
        EmbeddedServer(folder / "data").stop()
        yield folder / "data"


def copied(made: Path, into: Path) -> Path:
    """Copy it with its owners to the folder `into`."""
    into.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["/bin/cp", "-a", made, into], check=True)  # noqa: S603 -- a program of the system
    return into


def until(holds: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until something happens, also on a slow machine."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def server_pid(data_dir: Path) -> int:
    """Return the process id in the server's file; 0 if there is none."""
    try:
        return int((data_dir / "postgresql" / "postmaster.pid").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0


def modes(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return permissions and owner of a folder and of all its parents."""
    return {each: (each.stat().st_mode, each.stat().st_uid) for each in [folder, *folder.parents]}

"""A folder with a database of its own to be killed and damaged, for tests of the server itself."""

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from billing.database.embedded import EmbeddedServer
from billing.database.processes import end_server, processes_of

PATIENCE = 120.0


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that the server's user gets to, too; what runs in it is ended, then it goes."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
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
    """A data directory with an empty database that no server runs on: copy it."""
    with open_folder() as folder:
        EmbeddedServer(folder / "data").stop()
        yield folder / "data"


def copied(made: Path, into: Path) -> Path:
    """A copy of it, with its owners; `into` is its folder."""
    into.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["/bin/cp", "-a", made, into], check=True)  # noqa: S603 -- the system's own
    return into


def until(holds: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for what must come, however slow the machine is."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def server_pid(data_dir: Path) -> int:
    """The number in the server's file; 0 if there is none."""
    try:
        return int((data_dir / "postgresql" / "postmaster.pid").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0


def modes(folder: Path) -> dict[Path, tuple[int, int]]:
    """Rights and owner of a folder and of all above it."""
    return {each: (each.stat().st_mode, each.stat().st_uid) for each in [folder, *folder.parents]}

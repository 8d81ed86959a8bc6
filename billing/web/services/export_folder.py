"""The folder of files that are made to be sent: temporary, limited, in the data directory.

Each process has a folder of its own there, and holds a lock on it while it runs. A folder without
a lock is from a process that was killed; it is removed at the next start.
"""

import fcntl
import io
import logging
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

MOST_BYTES = 8_000_000_000  # of all files of a process
LEAST_FREE = 1_000_000_000  # bytes of the disk; a twentieth of a small one
LOOK_BYTES = 8 << 20  # the free space is checked after so many bytes
BUFFER_BYTES = 1 << 18
logger = logging.getLogger(__name__)


class NoRoom(Exception):  # noqa: N818 -- not a fault
    """The disk is nearly full, or the files take more space than they may."""


class Abandoned(Exception):  # noqa: N818 -- not a fault
    """The file is no longer needed."""


class ExportFolder:
    """The files of one process. Everything blocks."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._own: Path | None = None
        self._lock = -1
        self._making = threading.Lock()

    def make(self) -> Path:
        """Return the folder; the first call makes it. Raises OSError if that fails."""
        with self._making:
            if self._own is None:
                self._parent.mkdir(parents=True, exist_ok=True)
                with _locked(self._parent):
                    self._sweep()
                    own = self._parent / f"{os.getpid()}-{token_hex(4)}"
                    own.mkdir(mode=0o700)
                    self._lock = _lock(own)
                self._own = own
            return self._own

    def create(self) -> "ExportFile":
        """Return a new file, open for writing."""
        return ExportFile(self.make() / token_hex(8), self)

    def refuse_if_full(self) -> None:
        """Raise NoRoom if files may not grow: the database needs the disk, too."""
        folder = self.make()
        disk = shutil.disk_usage(folder)
        taken = 0
        for each in folder.iterdir():
            with suppress(FileNotFoundError):  # it was just removed
                taken += each.stat().st_size
        if disk.free < min(LEAST_FREE, disk.total // 20) or taken > MOST_BYTES:
            raise NoRoom

    def close(self) -> None:
        """Remove the folder with its files."""
        with self._making:
            if self._own is not None:
                shutil.rmtree(self._own, ignore_errors=True)
                os.close(self._lock)
                self._own = None

    def _sweep(self) -> None:
        """Remove the folders of processes that have ended."""
        for folder in self._parent.iterdir():
            with suppress(OSError):
                lock = _lock(folder)
                try:
                    shutil.rmtree(folder)
                    logger.info("The files of an ended process were removed: %s", folder.name)
                finally:
                    os.close(lock)


class ExportFile(io.BufferedWriter):
    """A file that is being written; writing raises NoRoom, or Abandoned after `abandon`."""

    def __init__(self, path: Path, folder: ExportFolder) -> None:
        self.path = path
        self._growing = _Growing(path, folder)
        super().__init__(self._growing, BUFFER_BYTES)

    def abandon(self) -> None:
        """Let the next write fail; it may be in another thread."""
        self._growing.abandoned = True


class _Growing(io.FileIO):
    def __init__(self, path: Path, folder: ExportFolder) -> None:
        super().__init__(path, "xb")
        self._folder = folder
        self._unchecked = LOOK_BYTES  # the first write checks
        self.abandoned = False

    def write(self, data: Any) -> int:
        if self.abandoned:
            raise Abandoned
        self._unchecked += len(data)
        if self._unchecked >= LOOK_BYTES:
            self._unchecked = 0
            self._folder.refuse_if_full()
        return super().write(data)


def _lock(folder: Path) -> int:
    """Take the lock of a folder. Raises BlockingIOError if another process holds it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise
    return handle


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Wait for the lock of a folder and hold it: nobody removes a folder that is not locked yet."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)

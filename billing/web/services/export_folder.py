"""The folder of the files that are made to be sent: in the data directory, bounded, temporary.

Each process has a folder of its own there and holds a lock on it for as long as it lives: what
the dead left, however they died, is removed at the next start.
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
LEAST_FREE = 1_000_000_000  # bytes of the disk, or a twentieth of it where that is less
LOOK_BYTES = 8 << 20  # a file looks for room each time it has grown so much
BUFFER_BYTES = 1 << 18
logger = logging.getLogger(__name__)


class NoRoom(Exception):  # noqa: N818 -- what the person is told, not a fault
    """The disk is nearly full, or the files that are kept take all they may."""


class Abandoned(Exception):  # noqa: N818 -- an outcome, not a fault
    """Nobody wants this file any more."""


class ExportFolder:
    """The files of one process. Everything blocks."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._own: Path | None = None
        self._lock = -1
        self._making = threading.Lock()

    def make(self) -> Path:
        """The folder, which is there after the first call; OSError if it can't be made."""
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
        """A new file, open for writing."""
        return ExportFile(self.make() / token_hex(8), self)

    def refuse_if_full(self) -> None:
        """NoRoom where files may grow no more: the database needs the disk, too."""
        folder = self.make()
        disk = shutil.disk_usage(folder)
        taken = 0
        for each in folder.iterdir():
            with suppress(FileNotFoundError):  # removed meanwhile
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
        """Remove the folders of processes that are no more."""
        for folder in self._parent.iterdir():
            with suppress(OSError):
                lock = _lock(folder)
                try:
                    shutil.rmtree(folder)
                    logger.info("The files of an ended process were removed: %s", folder.name)
                finally:
                    os.close(lock)


class ExportFile(io.BufferedWriter):
    """A file being written; it stops with NoRoom or, once it is given up, with Abandoned."""

    def __init__(self, path: Path, folder: ExportFolder) -> None:
        self.path = path
        self._growing = _Growing(path, folder)
        super().__init__(self._growing, BUFFER_BYTES)

    def abandon(self) -> None:
        """Let the next write fail: whoever writes may be in another thread."""
        self._growing.abandoned = True


class _Growing(io.FileIO):
    def __init__(self, path: Path, folder: ExportFolder) -> None:
        super().__init__(path, "xb")
        self._folder = folder
        self._unlooked = LOOK_BYTES  # the first write looks
        self.abandoned = False

    def write(self, data: Any) -> int:
        if self.abandoned:
            raise Abandoned
        self._unlooked += len(data)
        if self._unlooked >= LOOK_BYTES:
            self._unlooked = 0
            self._folder.refuse_if_full()
        return super().write(data)


def _lock(folder: Path) -> int:
    """Take the lock of a folder; BlockingIOError if another process holds it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise
    return handle


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, and wait for it: nobody sweeps what another is making."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)

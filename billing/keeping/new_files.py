"""Make files that are complete under a new name, or do not exist.

Each is written next to its final name under a unique name. The writing process holds a lock on it
until it ends, so unfinished files of dead processes can be recognised.
"""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from billing.values import Refused

UNFINISHED = ".unfinished"
REPLACED = ".replaced"
BLOCK = 1 << 20
NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


@contextmanager
def making(path: Path) -> Iterator[BinaryIO]:
    """Make a file: it has its name and is on disk after the block.

    Refused if a file of that name exists or writing fails; then no new file exists.
    """
    with _making(path, _publish) as file:
        if path.exists():  # fail before the work rather than after it
            raise _taken(path)
        yield file


@contextmanager
def restoring(path: Path) -> Iterator[BinaryIO]:
    """Make a file like `making`; an existing file is renamed to a unique name."""
    with _making(path, _exchange) as file:
        yield file


@contextmanager
def _making(path: Path, publish: Callable[[Path, Path], None]) -> Iterator[BinaryIO]:
    unfinished = path.with_name(f"{path.name}.{os.getpid()}-{token_hex(6)}{UNFINISHED}")
    try:
        _make_folder(path.parent)
        with unfinished.open("xb") as file:
            with suppress(OSError):  # no locks on this file system: sweep() skips it too
                fcntl.flock(file, fcntl.LOCK_EX)
            unfinished.chmod(0o600)  # a backup contains password hashes
            yield file
            file.flush()
            os.fsync(file.fileno())
            publish(unfinished, path)
        flush_folder(path.parent)
    except OSError as error:
        raise unwritten(path.name, error) from error
    finally:
        with suppress(OSError):
            unfinished.unlink()


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        flush_folder(folder.parent)


def _publish(unfinished: Path, path: Path) -> None:
    """Give a file its name; Refused if another file has it."""
    try:
        os.link(unfinished, path)
    except FileExistsError as error:
        raise _taken(path) from error
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _publish_without_links(unfinished, path)


def _publish_without_links(unfinished: Path, path: Path) -> None:
    """Publish on a file system without hard links: create the name first, then replace it."""
    try:
        path.open("xb").close()
    except FileExistsError as error:
        raise _taken(path) from error
    unfinished.replace(path)


def _exchange(unfinished: Path, path: Path) -> None:
    """Give a file its name; an existing file keeps its content under a new name."""
    if path.exists():
        if _equal(unfinished, path):
            return
        path.rename(path.with_name(f"{path.name}.{token_hex(6)}{REPLACED}"))
    _publish(unfinished, path)


def _equal(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as a, other.open("rb") as b:
        while block := a.read(BLOCK):
            if block != b.read(BLOCK):
                return False
    return True


def _taken(path: Path) -> Refused:
    return Refused("There is a file %(file)s already; it stays as it is.", file=path.name)


def unwritten(name: str, error: OSError) -> Refused:
    """Return the refusal for a file that could not be written, usually for lack of space."""
    return Refused(
        "The file %(file)s could not be written: %(why)s.",
        file=name,
        why=error.strerror or str(error),
    )


def flush_folder(folder: Path) -> None:
    """Flush the names in a folder to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unfinished_in(folder: Path) -> list[Path]:
    """Return the unfinished files in a folder, of running and of dead processes."""
    return sorted(folder.glob(f"*{UNFINISHED}"))


def sweep(folder: Path) -> list[str]:
    """Remove unfinished files of dead processes; return their names. Hold the lock of keeping."""
    swept = []
    for path in unfinished_in(folder):
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            swept.append(path.name)
    return swept

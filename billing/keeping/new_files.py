"""Files that are there whole, under a name that nothing had before, or not at all.

Each is written beside its name, under a name that nobody else has, by a process that holds a lock
on it for as long as it lives: so the unfinished files of the dead can be told from the others.
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
    """A file to write; under its name and on the disk after the block.

    Refused if there is a file of that name, or it could not be written: then there is none.
    """
    with _making(path, _publish) as file:
        if path.exists():  # rather now than after the work
            raise _taken(path)
        yield file


@contextmanager
def restoring(path: Path) -> Iterator[BinaryIO]:
    """The same; another file of that name is set aside, under a name that nobody else has."""
    with _making(path, _exchange) as file:
        yield file


@contextmanager
def _making(path: Path, publish: Callable[[Path, Path], None]) -> Iterator[BinaryIO]:
    unfinished = path.with_name(f"{path.name}.{os.getpid()}-{token_hex(6)}{UNFINISHED}")
    try:
        _make_folder(path.parent)
        with unfinished.open("xb") as file:
            with suppress(OSError):  # a file system without locks: sweep() can't take one either
                fcntl.flock(file, fcntl.LOCK_EX)
            unfinished.chmod(0o600)  # a backup holds the hashes of passwords
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
    """Give a file its name, unless another has it."""
    try:
        os.link(unfinished, path)
    except FileExistsError as error:
        raise _taken(path) from error
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _publish_without_links(unfinished, path)


def _publish_without_links(unfinished: Path, path: Path) -> None:
    """The same on a file system where a file has one name: the name is taken first."""
    try:
        path.open("xb").close()
    except FileExistsError as error:
        raise _taken(path) from error
    unfinished.replace(path)


def _exchange(unfinished: Path, path: Path) -> None:
    """Give a file its name; one that has it keeps its content under another."""
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
    """That a file could not be written, and why: the disk is full, as a rule."""
    return Refused(
        "The file %(file)s could not be written: %(why)s.",
        file=name,
        why=error.strerror or str(error),
    )


def flush_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unfinished_in(folder: Path) -> list[Path]:
    """The files that are being written there, or were when their process died."""
    return sorted(folder.glob(f"*{UNFINISHED}"))


def sweep(folder: Path) -> list[str]:
    """Remove what the dead left unfinished; the names. Hold the lock of keeping meanwhile."""
    swept = []
    for path in unfinished_in(folder):
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            swept.append(path.name)
    return swept

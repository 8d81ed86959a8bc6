"""The files of the embedded server: its data directory, who may connect, settings, log."""

import contextlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from billing.database.places import Place
from billing.values import Refused

MAJOR = "18"  # of the programs that we bring
PORT = "5432"  # part of the socket's name; the server listens on no network
MB = 1024 * 1024
LEAST_WAL_MB, MOST_WAL_MB = 128, 4096
WAL_SHARE = 20  # of the disk a twentieth
LARGEST_LOG = 10 * MB
HBA = "# Written by Contarifa at each start: users of this machine, known by the system.\n"
HBA += "local all all peer map=contarifa\n"


def ensure_cluster(place: Place) -> None:
    """Make the data directory unless it is there.

    It appears whole or not at all. Refused if it was made by another PostgreSQL, or is damaged.
    """
    made_by = place.data / "PG_VERSION"
    if not made_by.exists():
        _create(place)
    elif (major := made_by.read_text().strip()) != MAJOR:
        raise Refused(
            "The data in %(folder)s is of PostgreSQL %(theirs)s, and this program brings %(ours)s."
            " Restore a backup into an empty folder, or upgrade it with pg_upgrade.",
            folder=place.data,
            theirs=major,
            ours=MAJOR,
        )
    elif not (place.data / "global" / "pg_control").exists():
        raise Refused(
            "The data in %(folder)s is incomplete. Move it away, and restore a backup.",
            folder=place.data,
        )
    admit_only_us(place)


def _create(place: Place) -> None:
    new = place.data.with_name(place.data.name + ".new")
    shutil.rmtree(new, ignore_errors=True)  # begun and not ended
    new.mkdir(mode=0o700)
    os.chown(new, place.uid, -1)
    command = [place.programs / "initdb", "--username=postgres", "--auth=peer", "--encoding=utf8"]
    done = subprocess.run(  # noqa: S603 -- our own program
        [*command, "-D", new],
        cwd="/",
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        **place.run_as(),  # type: ignore[call-overload] # the names are right
    )
    if done.returncode:
        why = (done.stderr.strip() or "?").splitlines()[-1].removeprefix("initdb: ")
        raise Refused("No database can be made in %(folder)s: %(why)s", folder=new, why=why)
    try:
        new.rename(place.data)
    except OSError as error:
        raise Refused(
            "The folder %(folder)s holds no database and is not empty. Move it away.",
            folder=place.data,
        ) from error
    with _opened(place.data.parent) as parent:
        os.fsync(parent)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    number = os.open(folder, os.O_RDONLY)
    try:
        yield number
    finally:
        os.close(number)


def admit_only_us(place: Place) -> bool:
    """Let the server's user and ourselves in, known by the system, without a password.

    A data directory of version 0.1.0 let everybody in. Whether anything was changed.
    """
    names = sorted({place.user, "root"} if place.user else {_own_name()})
    ident = "".join(f'contarifa "{name}" all\n' for name in names)
    changed = False
    for name, text in (("pg_hba.conf", HBA), ("pg_ident.conf", ident)):
        file = place.data / name
        if file.is_file() and file.read_text(errors="replace") == text:
            continue
        new = place.data / f"{name}.new"
        new.unlink(missing_ok=True)
        number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "w") as stream:
            os.chown(number, place.uid, -1)
            stream.write(text)
        new.rename(file)
        changed = True
    return changed


def _own_name() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def command(place: Place, sockets: Path) -> list[str]:
    """How the server is started. What stands here goes before what its own files say."""
    return [
        str(place.programs / "postgres"),
        *("-D", str(place.data), "-k", str(sockets), "-h", "", "-p", PORT),
        *(
            "-c",
            "unix_socket_permissions=0700",
            "-c",
            f"max_wal_size={wal_megabytes(place.data)}MB",
        ),
    ]


def wal_megabytes(data: Path) -> int:
    """How far the log of changes may grow between checkpoints: as the size of its disk admits.

    PostgreSQL's own 1 GB is written in half a minute of bulk ingestion, and each checkpoint makes
    every page be logged whole once more.
    """
    share = shutil.disk_usage(data).total // WAL_SHARE // MB
    return min(MOST_WAL_MB, max(LEAST_WAL_MB, share))


def environment(of: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Our own, without what is meant for clients of some other PostgreSQL."""
    return {name: value for name, value in of.items() if not name.startswith("PG")}


def url_of(sockets: Path) -> str:
    """How to connect."""
    return f"postgresql://postgres@/postgres?host={quote(str(sockets), safe='')}"


def told_sockets(data: Path, pid: int) -> Path | None:
    """Where the server with this number says that its socket lies; None if it says nothing."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        return Path(lines[4]) if int(lines[0]) == pid and lines[4] else None
    except (OSError, ValueError, IndexError):
        return None


def shorten_log(log: Path) -> None:
    """Put a long log aside; the one before that is forgotten."""
    with contextlib.suppress(OSError):
        if log.stat().st_size > LARGEST_LOG:
            log.rename(log.with_suffix(".log.old"))


def last_words(log: Path) -> str:
    """Why the server ended, by its log."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-20:]
    except OSError:
        return "?"
    fatal = [line for line in lines if "FATAL" in line or "PANIC" in line or "postgres:" in line]
    return fatal[-1].split("FATAL:")[-1].strip() if fatal else "?"

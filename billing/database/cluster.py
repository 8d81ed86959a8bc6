"""The files of the embedded server: data directory, access rules, settings, log."""

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

MAJOR = "18"  # of the bundled programs
PORT = "5432"  # part of the socket's name; the server listens on no network
MB = 1024 * 1024
LEAST_WAL_MB, MOST_WAL_MB = 128, 4096
WAL_SHARE = 20  # one twentieth of the disk
LARGEST_LOG = 10 * MB
HBA = "# Written by Contarifa at each start: users of this machine, known by the system.\n"
HBA += "local all all peer map=contarifa\n"


def ensure_cluster(place: Place) -> None:
    """Make the data directory if it does not exist; it appears complete or not at all.

    Refused if it was made by another major version of PostgreSQL, or is incomplete.
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
    shutil.rmtree(new, ignore_errors=True)  # left by an interrupted run
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
    """Admit the server's user and our own, authenticated by the system without a password.

    A data directory of version 0.1.0 admitted everybody. Return whether a file was changed.
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
    """Return the command that starts the server. Its options override the configuration files."""
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
    """Return the size up to which the write-ahead log may grow between checkpoints, in MB.

    It depends on the size of the disk. Bulk ingestion fills PostgreSQL's default of 1 GB in half a
    minute, and after each checkpoint every changed page is logged as a whole again.
    """
    share = shutil.disk_usage(data).total // WAL_SHARE // MB
    return min(MOST_WAL_MB, max(LEAST_WAL_MB, share))


def environment(of: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return our environment without the variables for clients of another PostgreSQL."""
    return {name: value for name, value in of.items() if not name.startswith("PG")}


def url_of(sockets: Path) -> str:
    """Return the URL of the server."""
    return f"postgresql://postgres@/postgres?host={quote(str(sockets), safe='')}"


def told_sockets(data: Path, pid: int) -> Path | None:
    """Return the socket folder that the server with this process id reports; None if none."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        return Path(lines[4]) if int(lines[0]) == pid and lines[4] else None
    except (OSError, ValueError, IndexError):
        return None


def shorten_log(log: Path) -> None:
    """Move a long log away; an earlier one is replaced."""
    with contextlib.suppress(OSError):
        if log.stat().st_size > LARGEST_LOG:
            log.rename(log.with_suffix(".log.old"))


def last_words(log: Path) -> str:
    """Return from its log why the server ended."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-20:]
    except OSError:
        return "?"
    fatal = [line for line in lines if "FATAL" in line or "PANIC" in line or "postgres:" in line]
    return fatal[-1].split("FATAL:")[-1].strip() if fatal else "?"

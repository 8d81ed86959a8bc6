"""The PostgreSQL processes of one data directory; no other process is ever signalled."""

import contextlib
import os
import signal
import time
from pathlib import Path

import psutil

BY_THEMSELVES_SECONDS = 3.0  # backends whose server is gone end themselves
QUIT_SECONDS = 2.0  # an immediate shutdown


def processes_of(data: Path, uid: int) -> list[psutil.Process]:
    """Return the processes of `postgres` with `data` as working folder: server and backends.

    Root in a container may not see the folders of another user's processes. Then the server is
    recognised by its user `uid` and its command line.
    """
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if _works_in(process, data, uid):
                found.append(process)
    return found


def _works_in(process: psutil.Process, data: Path, uid: int) -> bool:
    try:
        program = Path(f"/proc/{process.pid}/exe").readlink().name
        if program.removesuffix(" (deleted)") != "postgres":
            return False
        return os.path.samefile(f"/proc/{process.pid}/cwd", data)  # noqa: PTH121 -- follows the link
    except PermissionError:
        words = process.cmdline()
        ours = words[1:3] == ["-D", str(data)] and Path(words[0]).name == "postgres"
        return ours and process.uids().real == uid


def server_of(data: Path, uid: int) -> psutil.Process | None:
    """Return the server process, the one that no other one started; None if it does not run."""
    found = processes_of(data, uid)
    pids = {process.pid for process in found}
    for process in found:
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()  # none of one that is about to be gone
            is_backend = process.ppid() in pids or "".join(words[:1]).startswith("postgres:")
            if words and not is_backend and process.status() != psutil.STATUS_ZOMBIE:
                return process
    return None


def end_server(process: psutil.Process, patience: float) -> None:
    """Stop a server within about `patience` seconds: fast, then immediately, then by force."""
    for number, seconds in (
        (signal.SIGINT, patience),
        (signal.SIGQUIT, QUIT_SECONDS),
        (signal.SIGKILL, QUIT_SECONDS),
    ):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
            process.send_signal(number)  # psutil checks that it is still the same process
            process.wait(seconds)
        if not is_alive(process):
            return


def is_alive(process: psutil.Process) -> bool:
    """Return whether it runs; a zombie does not."""
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def clear_orphans(data: Path, uid: int) -> None:
    """End backends whose server is gone; they would keep a new one from starting."""
    deadline = time.monotonic() + BY_THEMSELVES_SECONDS
    while (left := processes_of(data, uid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    if left:
        psutil.wait_procs(left, QUIT_SECONDS)


def clear_lock(file: Path) -> None:
    """Remove the lock file of a dead server if it would keep a new one from starting.

    Such a file is empty, damaged, or names a process id that another program has now. If no process
    has the id, PostgreSQL removes the file itself. Call this only if no server runs.
    """
    try:
        pid = int(file.read_bytes().split(b"\n")[0])
    except FileNotFoundError:
        return
    except (ValueError, IndexError):
        pid = 0
    if pid <= 0 or psutil.pid_exists(pid):
        file.unlink(missing_ok=True)

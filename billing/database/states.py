"""What `serve` reports about its processes, for `/readyz` and the system page, in a file.

A file and not a table, because it must also report that the database has ended.
"""

import os
from contextlib import suppress
from pathlib import Path

import msgspec

FILE = "processes.json"


class State(msgspec.Struct, frozen=True, kw_only=True):
    """One process. Times are seconds since 1970."""

    name: str  # a job, or "database"
    pid: int = 0  # 0 while it waits for its restart
    since: float  # when it was started or ended
    deaths: int = 0  # ends without a minute alive between them
    last_exit: int = 0  # exit code; a negative signal number if it was killed
    starts_at: float = 0.0  # when it will be restarted; 0 if it runs


def write_states(data_dir: Path, states: list[State]) -> None:
    """Replace the file; if the disk is full, the old one stays."""
    new = data_dir / f"{FILE}.new"
    with suppress(OSError):
        data_dir.mkdir(parents=True, exist_ok=True)
        new.write_bytes(msgspec.json.encode(states))
        new.replace(data_dir / FILE)


def read_states(data_dir: Path) -> list[State]:
    """Return the last report; empty if there is none or it can't be read."""
    try:
        states = msgspec.json.decode((data_dir / FILE).read_bytes(), type=list[State])
    except (OSError, msgspec.DecodeError):
        return []
    return states


def unwell(data_dir: Path) -> list[State]:
    """Return the processes that ended recently or do not run."""
    return [state for state in read_states(data_dir) if state.deaths or not _runs(state.pid)]


def _runs(pid: int) -> bool:
    return pid > 0 and os.path.exists(f"/proc/{pid}")  # noqa: PTH110 -- shorter

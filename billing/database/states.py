"""What `serve` tells of its processes, for `/readyz` and the system page, in a file.

A file, and no table: it must tell of the database's death too.
"""

import os
from contextlib import suppress
from pathlib import Path

import msgspec

FILE = "processes.json"


class State(msgspec.Struct, frozen=True, kw_only=True):
    """One process. Times are seconds since 1970."""

    name: str  # a job's, or "database"
    pid: int = 0  # 0 while it waits to be started again
    since: float  # when it was started, or died
    deaths: int = 0  # without a minute alive between them
    last_exit: int = 0  # its code; a signal's number with a minus
    starts_at: float = 0.0  # of one that waits


def write_states(data_dir: Path, states: list[State]) -> None:
    """Replace the file; a full disk leaves the old one."""
    new = data_dir / f"{FILE}.new"
    with suppress(OSError):
        data_dir.mkdir(parents=True, exist_ok=True)
        new.write_bytes(msgspec.json.encode(states))
        new.replace(data_dir / FILE)


def read_states(data_dir: Path) -> list[State]:
    """What was written last; empty if nothing was, or nothing that can be read."""
    try:
        states = msgspec.json.decode((data_dir / FILE).read_bytes(), type=list[State])
    except (OSError, msgspec.DecodeError):
        return []
    return states


def unwell(data_dir: Path) -> list[State]:
    """Those that died a short while ago or aren't there at all."""
    return [state for state in read_states(data_dir) if state.deaths or not _runs(state.pid)]


def _runs(pid: int) -> bool:
    return pid > 0 and os.path.exists(f"/proc/{pid}")  # noqa: PTH110 -- shorter

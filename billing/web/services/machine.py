"""The state of this machine: processor, memory, disk, and uptime of the process."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil

from billing import __version__

LOOK_SECONDS = 0.1


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    version: str
    began_at: datetime  # of this process
    cpu_percent: float
    cpus: int
    load: float  # average number of runnable processes over the last minute
    memory_bytes: int
    memory_used_bytes: int
    own_memory_bytes: int  # of this process
    disk_bytes: int
    disk_free_bytes: int
    archives_bytes: int
    backups_bytes: int


def look_at_machine(data_dir: Path, archives: Path, backups: Path) -> Machine:
    """Measure the machine; takes a tenth of a second."""
    own = psutil.Process()
    memory = psutil.virtual_memory()
    folder = data_dir if data_dir.exists() else Path.cwd()
    disk = shutil.disk_usage(folder)
    return Machine(
        version=__version__,
        began_at=datetime.fromtimestamp(own.create_time(), UTC),
        cpu_percent=psutil.cpu_percent(interval=LOOK_SECONDS),
        cpus=os.cpu_count() or 1,
        load=os.getloadavg()[0],
        memory_bytes=memory.total,
        memory_used_bytes=memory.total - memory.available,
        own_memory_bytes=own.memory_info().rss,
        disk_bytes=disk.total,
        disk_free_bytes=disk.free,
        archives_bytes=_size(archives),
        backups_bytes=_size(backups),
    )


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*") if path.is_file())

"""What operations of keeping need: the database, the log, the folders of files."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from billing.log.store import Store

ReportProgress = Callable[[float], None]  # called with the finished share, 0 to 1
WAIT_SECONDS = 10.0  # for another operation of keeping to end


class Keeper(msgspec.Struct, frozen=True):
    """A database, its log, and the folders of its archives and backups."""

    url: str
    store: Store
    archives: Path
    backups: Path
    wait_seconds: float = WAIT_SECONDS

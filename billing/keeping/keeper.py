"""Whose calls are kept, and where the files lie."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from billing.log.store import Store

ReportProgress = Callable[[float], None]  # called with the share that is done, 0 to 1
WAIT_SECONDS = 10.0  # for another operation of keeping to end


class Keeper(msgspec.Struct, frozen=True):
    """A database, its log, and the folders of its files."""

    url: str
    store: Store
    archives: Path
    backups: Path
    wait_seconds: float = WAIT_SECONDS

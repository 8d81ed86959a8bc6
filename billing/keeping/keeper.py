"""Whose calls are kept, and where the files lie."""

from pathlib import Path

import msgspec

from billing.log.store import Store


class Keeper(msgspec.Struct, frozen=True):
    """A database, its log, and the folders of its files."""

    url: str
    store: Store
    archives: Path
    backups: Path

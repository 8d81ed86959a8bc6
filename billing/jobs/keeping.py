"""The job that archives months and makes backups."""

import threading
from collections.abc import Callable

from billing.config import Config
from billing.keeping.keeper import Keeper
from billing.keeping.worker import Worker
from billing.log.store import Store


def run(config: Config, told_to_stop: Callable[[], threading.Event]) -> None:
    """Do the queued and the nightly tasks until asked to stop."""
    store = Store(config.database_url)
    # If another operation is running, the task stays in the queue and is tried again.
    keeper = Keeper(config.database_url, store, config.archives, config.backups, wait_seconds=0)
    worker = Worker(keeper, config.time_zone)
    worker.run(told_to_stop())
    worker.close()
    store.close()

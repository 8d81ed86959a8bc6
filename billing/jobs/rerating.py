"""The job that rates calls again."""

import threading
from collections.abc import Callable

from billing.config import Config
from billing.log.store import Store
from billing.rerating.worker import Worker


def run(config: Config, told_to_stop: Callable[[], threading.Event]) -> None:
    """Do the queued corrections until asked to stop."""
    store = Store(config.database_url)
    worker = Worker(config.database_url, store, told_to_stop())
    worker.run()
    worker.close()
    store.close()

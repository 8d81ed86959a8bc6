"""The job of the read models."""

import logging
import threading
from collections.abc import Callable

from billing.config import Config
from billing.keeping.archived_events import open_store
from billing.projections import projections
from billing.projections.runner import Runner

logger = logging.getLogger("billing.projections")


def run(config: Config, told_to_stop: Callable[[], threading.Event]) -> None:
    """Follow the log until asked to stop."""
    stopping = told_to_stop()
    store = open_store(config.database_url, config.archives)
    runner = Runner(config.database_url, store, projections(config.time_zone))
    logger.info("projections follow the log")
    runner.run(config.database_url, stopping)
    runner.close()
    store.close()

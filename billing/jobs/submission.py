"""The job of the submission interface."""

import threading
from collections.abc import Callable

from billing.config import Config
from billing.database import Database
from billing.ingest.endpoint import create_app


def run(config: Config, _told_to_stop: Callable[[], threading.Event]) -> None:
    """Serve it until told to stop; Sanic listens for that itself."""
    app = create_app(config, Database(config.database_url))
    app.run(
        host=config.bind_address,
        port=config.cdr_port,
        single_process=True,
        access_log=False,
        motd=False,
    )

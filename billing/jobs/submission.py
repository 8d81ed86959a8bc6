"""The job of the submission interface."""

import threading
from collections.abc import Callable
from typing import Any

from billing.config import Config
from billing.database import Database
from billing.jobs.ports import serve_application


def run(config: Config, _told_to_stop: Callable[[], threading.Event]) -> None:
    """Serve it until asked to stop; Sanic handles the signal itself."""

    def make() -> Any:
        from billing.ingest.endpoint import create_app  # noqa: PLC0415 -- the port must be open before

        return create_app(config, Database(config.database_url))

    serve_application(make, config, config.cdr_port)

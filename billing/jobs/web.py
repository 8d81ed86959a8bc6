"""The job of the admin pages."""

import threading
from collections.abc import Callable
from typing import Any

from billing.config import Config
from billing.database import Database
from billing.interpreter import tune_for_pages
from billing.jobs.ports import serve_application


def run(config: Config, _told_to_stop: Callable[[], threading.Event]) -> None:
    """Serve them until asked to stop; Sanic handles the signal itself."""

    def make() -> Any:
        from billing.web.app import create_app  # noqa: PLC0415 -- the port must be open before

        app = create_app(config, Database(config.database_url))
        tune_for_pages()
        return app

    serve_application(make, config, config.web_port)

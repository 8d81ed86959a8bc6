"""The job of the admin pages."""

import threading
from collections.abc import Callable

from billing.config import Config
from billing.database import Database
from billing.interpreter import tune_for_pages
from billing.web.app import create_app


def run(config: Config, _told_to_stop: Callable[[], threading.Event]) -> None:
    """Serve them until told to stop; Sanic listens for that itself."""
    app = create_app(config, Database(config.database_url))
    tune_for_pages()
    app.run(
        host=config.bind_address,
        port=config.web_port,
        single_process=True,
        access_log=False,
        motd=False,
    )

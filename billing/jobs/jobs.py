"""The jobs of a running service. Each is a process that imports no other job's modules."""

import logging
import os
import signal
import sys
import threading
from pkgutil import resolve_name

import msgspec

from billing.config import read_config
from billing.database import is_away, tell_away
from billing.database.address import steady
from billing.database.pulse import end_when_lost
from billing.interpreter import tune
from billing.jobs.ports import await_database
from billing.values import Refused

# Names instead of imports: the pages' modules take a second to load, and other jobs need none.
JOBS = {
    "web": "billing.jobs.web:run",
    "submission": "billing.jobs.submission:run",
    "projections": "billing.jobs.projections:run",
    "policies": "billing.jobs.policies:run",
    "rerating": "billing.jobs.rerating:run",
    "keeping": "billing.jobs.keeping:run",
}
PORTS = ("web", "submission")  # they answer 503 while they wait for the database

logger = logging.getLogger("billing.jobs")


def main() -> int:
    """Run one job in this process until the parent ends; `serve` starts it by its name."""
    set_up_logging()
    tune()
    threading.Thread(target=_follow_parent, daemon=True).start()
    name = sys.argv[1]
    try:
        config = read_config(os.environ)
        config = msgspec.structs.replace(config, database_url=steady(config.database_url))
        if name not in PORTS:
            await_database(config.database_url)
            end_when_lost(config.database_url)
        resolve_name(JOBS[name])(config, _until_told_to_stop)
    except Refused as refused:
        logger.error("%s: %s", name, refused)  # noqa: TRY400 -- the message says everything
        return 1
    except Exception as error:
        if not is_away(error):
            raise
        tell_away(error)
        return 1
    return 0


def set_up_logging() -> None:
    """Log lines with a time; of libraries only warnings and errors."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    for chatty in ("sanic", "psycopg.pool"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _until_told_to_stop() -> threading.Event:
    """Return an event that is set when this process is asked to end. Sanic handles that itself."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def _follow_parent() -> None:
    """End with the parent: when it ends, however that happens, our standard input is closed."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)

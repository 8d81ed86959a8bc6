"""`billing serve`: one process a job, each started again if it dies; nothing outlives the parent.

Sanic restarts no crashed process of its own, so the parent watches its children itself. If one
can't live, the parent ends with a non-zero code and the machine's own supervisor takes over.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from types import FrameType

import msgspec

from billing.config import SETTINGS, Config
from billing.jobs.jobs import JOBS

STOP_SECONDS = 20  # requests in flight get 15
LIVES = 5  # deaths within MINUTE that mean it can't live
MINUTE = 60.0

logger = logging.getLogger("billing.jobs.serve")


class Child:
    """A job's process and how often it died of late."""

    def __init__(self, name: str, config: Config) -> None:
        self.name = name
        self._config = config
        self._deaths: list[float] = []
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        values = msgspec.structs.asdict(self._config)
        said = {SETTINGS[field]: _setting(value) for field, value in values.items()}
        command = [sys.executable, "-m", "billing.jobs", self.name]
        environment = {**os.environ, **said}
        return subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)  # noqa: S603 -- ourselves

    def restart_if_dead(self) -> bool:
        """Start it again if it died; False if it died too often to go on."""
        if self.process.poll() is None:
            return True
        now = time.monotonic()
        self._deaths = [at for at in self._deaths if now - at < MINUTE] + [now]
        logger.error("%s ended with %s", self.name, self.process.returncode)
        if len(self._deaths) >= LIVES:
            return False
        time.sleep(0.2 * 2 ** len(self._deaths))
        self.process = self._start()
        return True

    def stop(self) -> None:
        """Ask it to end, and make it end."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()


def _setting(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def serve(config: Config) -> int:
    """Run every job until SIGTERM or SIGINT; the exit code. `config` names the database."""
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    children = [Child(name, config) for name in JOBS]
    code = 0
    while not stopping.wait(0.5):
        if not all(child.restart_if_dead() for child in children):
            code = 1
            break
    for child in children:
        child.process.terminate()
    for child in children:
        child.stop()
    return code

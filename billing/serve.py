"""`billing serve`: one process a job, each started again if it dies; nothing outlives the parent.

Sanic restarts no crashed process of its own, so the parent watches its children itself. If one
can't live, the parent ends with a non-zero code and the machine's own supervisor takes over.
"""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

import msgspec
from sanic import Sanic

from billing.config import SETTINGS, Config
from billing.correcting.worker import Worker
from billing.database import Database
from billing.ingest.endpoint import create_app as create_submission_app
from billing.keeping.keeper import Keeper
from billing.keeping.past import open_store
from billing.keeping.worker import Worker as KeepingWorker
from billing.policies.running import run_policies
from billing.projections import projections
from billing.projections.runner import Runner
from billing.store import Store
from billing.web.app import create_app as create_web_app

STOP_SECONDS = 20  # requests in flight get 15
LIVES = 5  # deaths within MINUTE that mean it can't live
MINUTE = 60.0

logger = logging.getLogger("billing.serve")


def run_web(config: Config) -> None:
    """The admin pages."""
    app = create_web_app(config, Database(config.database_url))
    _run_sanic(app, config.bind_address, config.web_port)


def run_submission(config: Config) -> None:
    """The submission interface."""
    app = create_submission_app(config, Database(config.database_url))
    _run_sanic(app, config.bind_address, config.cdr_port)


def run_projections(config: Config) -> None:
    """The projections."""
    stopping = _until_told_to_stop()
    store = open_store(config.database_url, config.archives)
    runner = Runner(config.database_url, store, projections(config.time_zone))
    logger.info("projections follow the log")
    runner.run(config.database_url, stopping)
    runner.close()
    store.close()


def run_policy_job(config: Config) -> None:
    """What the system does by itself: warnings, holds, statements."""
    run_policies(config, _until_told_to_stop())


def run_corrections(config: Config) -> None:
    """Whoever rates calls again."""
    store = Store(config.database_url)
    worker = Worker(config.database_url, store, _until_told_to_stop())
    worker.run()
    worker.close()
    store.close()


def run_keeping(config: Config) -> None:
    """Whoever archives months and makes backups."""
    store = Store(config.database_url)
    keeper = Keeper(config.database_url, store, config.archives, config.backups)
    worker = KeepingWorker(keeper, config.time_zone)
    worker.run(_until_told_to_stop())
    worker.close()
    store.close()


JOBS: dict[str, Callable[[Config], None]] = {
    "web": run_web,
    "submission": run_submission,
    "projections": run_projections,
    "policies": run_policy_job,
    "corrections": run_corrections,
    "keeping": run_keeping,
}


def _until_told_to_stop() -> threading.Event:
    """Set when this process is asked to end."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def _run_sanic(app: Sanic, address: str, port: int) -> None:  # type: ignore[type-arg]
    app.run(host=address, port=port, single_process=True, access_log=False, motd=False)


def run_job(name: str, config: Config) -> None:
    """One job, in this process, for as long as the parent lives."""
    threading.Thread(target=_follow_parent, daemon=True).start()
    JOBS[name](config)


def _follow_parent() -> None:
    """End with the parent: its end of our standard input closes when it dies, however it dies."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


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
        command = [sys.executable, "-m", "billing", "job", self.name]
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


async def wait_until_served(config: Config, seconds: float = 30) -> bool:
    """Whether both ports take connections within `seconds`."""
    end = time.monotonic() + seconds
    for port in (config.web_port, config.cdr_port):
        while True:
            try:
                _, writer = await asyncio.open_connection(config.bind_address, port)
            except OSError:
                if time.monotonic() > end:
                    return False
                await asyncio.sleep(0.1)
            else:
                writer.close()
                break
    return True

"""`billing serve`: one process for each job, and the embedded database; restarts what ends.

Sanic does not restart its own crashed processes, so the parent watches them. A process that ends
repeatedly is restarted after growing pauses, without limit. No end of a process ends another.
"""

import contextlib
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
import psycopg

from billing.config import SETTINGS, Config
from billing.database.address import in_words
from billing.database.embedded import EmbeddedServer
from billing.database.states import State, write_states
from billing.jobs.jobs import JOBS
from billing.jobs.ports import open_port
from billing.values import Refused

STOP_SECONDS = 4.0  # then processes are killed; running requests get 3 seconds
DATABASE_STOP_SECONDS = 0.7  # then it recovers from its log at the next start
LOOK_SECONDS = 0.1
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 8.0
DATABASE_PAUSE = 3.0  # the longest: it recovers from its log, and is back within 10 s of space
WELL_SECONDS = 60.0  # after this time alive, earlier ends are forgotten
SAY_EVERY_SECONDS = 60.0
TOLD_DEATHS = 3

logger = logging.getLogger("billing.jobs.serve")


class Lives:
    """The recent ends of a process, and when it is due to be restarted."""

    def __init__(self, longest_pause: float = LONGEST_PAUSE) -> None:
        self.deaths = 0
        self._longest_pause = longest_pause
        self.since = time.time()
        self.starts_at = 0.0
        self._begun = time.monotonic()
        self._due = 0.0
        self._told_at = float("-inf")

    def begin(self) -> None:
        """Record a start."""
        self.since, self._begun, self.starts_at = time.time(), time.monotonic(), 0.0

    def end(self) -> float:
        """Record an end; return the seconds until the restart."""
        now = time.monotonic()
        self.deaths = 1 if now - self._begun > WELL_SECONDS else self.deaths + 1
        pause = min(self._longest_pause, FIRST_PAUSE * 2.0 ** min(self.deaths - 1, 10))
        self._due = now + pause
        self.since, self.starts_at = time.time(), time.time() + pause
        return pause

    def is_news(self) -> bool:
        """Return whether to log an end: the first ones, then one a minute."""
        now = time.monotonic()
        if self.deaths > TOLD_DEATHS and now - self._told_at < SAY_EVERY_SECONDS:
            return False
        self._told_at = now
        return True

    def is_due(self) -> bool:
        """Return whether the pause is over."""
        return time.monotonic() >= self._due

    def forget(self) -> None:
        """Forget earlier ends after a minute alive."""
        if self.deaths and not self.starts_at and time.monotonic() - self._begun > WELL_SECONDS:
            self.deaths = 0


class Child:
    """The process of a job, and its recent ends."""

    def __init__(self, name: str, config: Config) -> None:
        self.name = name
        self._config = config
        self._lives = Lives()
        self._last_exit = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._start()

    def _start(self) -> None:
        values = msgspec.structs.asdict(self._config)
        said = {SETTINGS[field]: _setting(value) for field, value in values.items()}
        command = [sys.executable, "-m", "billing.jobs", self.name]
        environment = {**os.environ, **said}
        # Ctrl-C reaches every process of the terminal; children get their signal from the parent.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)  # noqa: S603 -- ourselves
            self._lives.begin()
        except OSError as error:  # no memory or no process left: later there may be
            logger.error("%s can't be started: %s", self.name, error)  # noqa: TRY400 -- the message says everything
            self._lives.end()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])

    def tend(self) -> None:
        """Record an end of the process; restart it when its pause is over."""
        if self._process and self._process.poll() is not None:
            self._last_exit = self._process.returncode
            self._forget_process()
            pause = self._lives.end()
            if self._lives.is_news():
                code = self._last_exit
                logger.error("%s ended with %s, starts in %.1f s", self.name, code, pause)
        if self._process is None and self._lives.is_due():
            self._start()
        self._lives.forget()

    def _forget_process(self) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.close()
        self._process = None

    def state(self) -> State:
        """Return the state for `processes.json`."""
        return State(
            name=self.name,
            pid=self._process.pid if self._process else 0,
            since=self._lives.since,
            deaths=self._lives.deaths,
            last_exit=self._last_exit,
            starts_at=self._lives.starts_at,
        )

    def ask_to_end(self) -> None:
        """Ask it to end, once: a second signal would interrupt an orderly end."""
        if self._process:
            self._process.terminate()

    def end(self, deadline: float) -> None:
        """Wait until it has ended; kill it at the deadline."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            logger.warning("%s did not end by itself", self.name)
            self._process.kill()
            self._process.wait()


def _setting(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


class DatabaseGuard:
    """Keeps the embedded server alive, and migrates the database when it answers.

    It runs in a thread because the start of a server waits for processes of an earlier one.
    """

    def __init__(
        self, url: str, server: EmbeddedServer | None, prepare: Callable[[], None]
    ) -> None:
        self._url = url
        self._server = server
        self._prepare = prepare
        self._lives = Lives(DATABASE_PAUSE)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="database", daemon=True)
        # An embedded server is still starting; if an external one does not answer, log it at once.
        self._told_at = time.monotonic() if server else float("-inf")
        self._failed_at = float("-inf")
        self.refused: Refused | None = None  # the database can't be used by this program
        self.prepared = False

    def start(self, patience: float) -> None:
        """Start. A refusal within `patience` seconds of the start is raised here."""
        deadline = time.monotonic() + patience
        while not self._try_to_prepare() and time.monotonic() < deadline:
            self._tend_server()
            time.sleep(LOOK_SECONDS)
        if self.refused:
            raise self.refused
        self._thread.start()

    def stop(self) -> None:
        """Stop; nothing is started after this."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def states(self) -> list[State]:
        """Return the state for `processes.json`; empty for an external server."""
        if self._server is None:
            return []
        return [
            State(
                name="database",
                pid=self._server.pid,
                since=self._lives.since,
                deaths=self._lives.deaths,
                starts_at=self._lives.starts_at,
            )
        ]

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                self._tend_server()
                if not self.prepared and self.refused is None:
                    self._try_to_prepare()
            except Exception:  # this thread is the only one who starts a dead database again
                if time.monotonic() - self._failed_at > SAY_EVERY_SECONDS:
                    self._failed_at = time.monotonic()
                    logger.exception("looking after the database failed")

    def _tend_server(self) -> None:
        if self._server is None or self._server.is_alive():
            self._lives.forget()
            return
        if not self._lives.starts_at:
            pause = self._lives.end()
            if self._lives.is_news():
                why = self._server.last_words()
                logger.error("the database ended (%s), starts in %.1f s", why, pause)
        if self._lives.is_due():
            try:
                self._server.ensure()
                self._lives.begin()
            except (Refused, OSError) as error:  # disk full or foreign files: later it may work
                self._lives.end()
                if self._lives.is_news():
                    logger.error("the database can't be started: %s", error)  # noqa: TRY400 -- the message says everything

    def _try_to_prepare(self) -> bool:
        try:
            self._prepare()
        except Refused as refused:
            self.refused = refused
        except psycopg.Error as error:
            if time.monotonic() - self._told_at > SAY_EVERY_SECONDS:
                self._told_at = time.monotonic()
                logger.warning("%s Waiting for it.", in_words(self._url, error))
            return False
        else:
            self.prepared = True
        return True


def serve(config: Config, prepare: Callable[[], None], server: EmbeddedServer | None = None) -> int:
    """Run every job until SIGTERM or SIGINT; return the exit code. `config` names the database.

    `prepare` migrates the database. It is called when the database answers, and repeatedly until it
    does. Refused if a port is in use or this program can't use the database.
    """
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # closing the terminal does not end the service
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    for port in (config.web_port, config.cdr_port):
        _await_port(config.bind_address, port)
    if server:
        server.hold()
    guard = DatabaseGuard(config.database_url, server, prepare)
    guard.start(patience=5.0 if server else 0.0)
    children = [Child(name, config) for name in JOBS]
    _watch(config, guard, children, stopping)
    _end(guard, children, server)
    if guard.refused:
        raise guard.refused
    return 0


def _await_port(address: str, port: int) -> None:
    """Refuse if another program uses the port; children of a killed parent have time to end."""
    deadline = time.monotonic() + STOP_SECONDS
    while True:
        try:
            open_port(address, port).close()
        except Refused:
            if time.monotonic() > deadline:
                raise
            time.sleep(LOOK_SECONDS)
        else:
            return


def _watch(
    config: Config, guard: DatabaseGuard, children: list[Child], stopping: threading.Event
) -> None:
    told: list[State] = []
    while not stopping.wait(LOOK_SECONDS) and guard.refused is None:
        for child in children:
            child.tend()
        states = guard.states() + [child.state() for child in children]
        if states != told:
            write_states(config.data_dir, states)
            told = states


def _end(guard: DatabaseGuard, children: list[Child], server: EmbeddedServer | None) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        child.ask_to_end()
    guard.stop()
    for child in children:
        child.end(deadline)
    if server:
        with contextlib.suppress(OSError):
            server.stop(DATABASE_STOP_SECONDS)

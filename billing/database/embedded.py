"""The embedded PostgreSQL: found or started, started again, stopped by its last user.

Every process that uses it holds a lock in the data directory. The system releases the lock however
the process ends, and the last user stops the server. A server that survived a kill is taken over.
It is recognised by its program and working folder, never by a process id in a file alone.
"""

import fcntl
import logging
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg

from billing.config import Config
from billing.database import cluster, places, processes
from billing.values import Refused

POLL_SECONDS = 0.03
PATIENCE_SECONDS = 60.0  # for the server to write its memory to disk before it is stopped
TELL_EVERY_SECONDS = 10.0
TAKE_OVERS = 3  # servers that may be taken over and end before they answer

logger = logging.getLogger("billing.database")

_left_running: list[subprocess.Popen[bytes]] = []  # used by others; Python warns of lost children


class EmbeddedServer:
    """Our own PostgreSQL in `data_dir`, reached by a Unix socket.

    With `wait`, it answers afterwards. Refused if the folder or its contents can't be used.
    """

    def __init__(self, data_dir: Path, *, wait: bool = True) -> None:
        self._place = places.find_place(data_dir)
        self._sockets = self._place.sockets
        self._folder = data_dir.resolve()
        self._log = self._folder / "postgresql.log"
        self._locks: list[int] = []
        self._child: subprocess.Popen[bytes] | None = None
        self._process: psutil.Process | None = None
        self._users = self._lock("postgresql.users", fcntl.LOCK_SH)
        self.ensure()
        if wait:
            self.wait()

    @property
    def url(self) -> str:
        """The URL of the server; it contains no secret."""
        return cluster.url_of(self._sockets)

    @property
    def psql(self) -> Path:
        """Path of the psql program of this server."""
        return self._place.programs / "psql"

    @property
    def pid(self) -> int:
        """Process id of the server; 0 if it does not run."""
        return self._process.pid if self._process and self.is_alive() else 0

    def is_alive(self) -> bool:
        """Return whether the server runs, whether we started it or took it over."""
        if self._child:
            self._child.poll()  # otherwise it stays a zombie
        return bool(self._process and processes.is_alive(self._process))

    def ensure(self) -> bool:
        """Start the server if it does not run; return whether it was started. Does not wait."""
        if self.is_alive():
            return False
        with self._turn():
            found = processes.server_of(self._place.data, self._place.uid)
            if found and self._take_over(found):
                return False
            if found:
                processes.end_server(found, PATIENCE_SECONDS)
            processes.clear_orphans(self._place.data, self._place.uid)
            cluster.ensure_cluster(self._place)
            for file in (self._place.data / "postmaster.pid", self._socket_lock()):
                processes.clear_lock(file)
            self._start()
        return True

    def _socket_lock(self) -> Path:
        return self._sockets / f".s.PGSQL.{cluster.PORT}.lock"

    def _take_over(self, found: psutil.Process) -> bool:
        """Use a running server, unless its file is damaged or others may reach its socket."""
        sockets = cluster.told_sockets(self._place.data, found.pid)
        if sockets is None or not places.is_private(sockets, self._place.uid):
            return False
        if cluster.admit_only_us(self._place):
            found.send_signal(signal.SIGHUP)  # reload the files
        self._process, self._child, self._sockets = found, None, sockets
        return True

    def _start(self) -> None:
        self._sockets.mkdir(mode=0o700, exist_ok=True)  # a runtime folder may have been cleared
        cluster.shorten_log(self._log)
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(  # noqa: S603 -- our own program
                cluster.command(self._place, self._sockets),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=cluster.environment(),
                start_new_session=True,
                umask=0o077,
                **self._place.run_as(),  # type: ignore[call-overload] # the names are right
            )
        self._process = psutil.Process(self._child.pid)

    def wait(self, seconds: float = float("inf")) -> bool:
        """Wait until it answers, also during a recovery; return False after `seconds`.

        Refused, with the end of its log, if it ends instead.
        """
        begun = time.monotonic()
        tell_at = begun + TELL_EVERY_SECONDS
        taken_over = 0
        while not self._answers():
            if not self.is_alive():
                if self._child or taken_over == TAKE_OVERS:
                    raise Refused(
                        "The database in %(folder)s does not start: %(why)s",
                        folder=self._place.data,
                        why=self.last_words(),
                    )
                taken_over += 1
                self.ensure()
            now = time.monotonic()
            if now - begun > seconds:
                return False
            if now > tell_at:
                logger.info("the database is recovering")
                tell_at = now + TELL_EVERY_SECONDS
            time.sleep(POLL_SECONDS)
        return True

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def last_words(self) -> str:
        """Return from its log why the server ended."""
        return cluster.last_words(self._log)

    def stop(self, patience: float = PATIENCE_SECONDS) -> None:
        """End this process's use of the server; the last user stops it.

        What it can't write within `patience` seconds it recovers from its log at the next start.
        """
        with self._turn():
            if self._is_last():
                found = processes.server_of(self._place.data, self._place.uid)
                if found:
                    processes.end_server(found, patience)
                if self._child:
                    self._child.poll()
            elif self._child:
                _left_running.append(self._child)
            for lock in self._locks:
                os.close(lock)
            self._locks = []

    def _is_last(self) -> bool:
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def hold(self) -> None:
        """Become the only `serve` on this data directory. Refused if there is another."""
        try:
            self._lock("serve.lock", fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused(
                "Another `billing serve` runs with the data in %(folder)s. End that one first, or"
                " name another folder in %(name)s.",
                folder=self._folder,
                name="BILLING_DATA_DIR",
            ) from error

    def _lock(self, name: str, how: int) -> int:
        """Take a lock that this process holds from now on."""
        number = _locked(self._folder / name, how)
        self._locks.append(number)
        return number

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Keep other processes from starting or stopping the server."""
        number = _locked(self._folder / "postgresql.lock", fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(number)


def _locked(file: Path, how: int) -> int:
    number = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(number, how)
    except BlockingIOError:
        os.close(number)
        raise
    return number


def embedded_if_needed(config: Config, *, wait: bool = True) -> EmbeddedServer | None:
    """Start the embedded server; None if the settings name an external database."""
    return None if config.database_url else EmbeddedServer(config.data_dir, wait=wait)

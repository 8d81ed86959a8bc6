"""PostgreSQL servers of a test's own: a primary, standbys that follow it, a network that fails.

    with open_primary() as primary, open_standby(primary) as standby:
        primary.set("synchronous_standby_names", "*")
        standby.suspend()  # commits of the primary wait
        primary.kill()
        standby.resume()
        standby.promote()  # what was acknowledged is on it

Settings that a server starts with are keyword arguments; fsync stays on.
"""

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from billing.database.cluster import PORT, environment, url_of
from billing.database.places import Place, find_place
from billing.database.processes import end_server, processes_of
from tests.embedded import open_folder, until

STOP_SECONDS = 5.0


class Server:
    """One PostgreSQL in a folder; it trusts every user of its socket, which only we can reach."""

    def __init__(self, place: Place, settings: dict[str, str]) -> None:
        self.place = place
        self.url = url_of(place.data)
        self.settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.place.data / f".s.PGSQL.{PORT}"

    @property
    def log(self) -> str:
        """What the server said."""
        return self._log.read_text(errors="replace")

    @property
    def _log(self) -> Path:
        return self.place.data.parent / "postgresql.log"

    def start(self, *, wait: bool = True) -> None:
        """Start it; it may have run before."""
        command = [str(self.place.programs / "postgres"), "-D", str(self.place.data)]
        command += ["-k", str(self.place.data), "-h", "", "-p", PORT]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 -- our own program
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment(),
                start_new_session=True,
                **self.place.run_as(),  # type: ignore[call-overload] # the names are right
            )
        if wait:
            until(self.answers)

    def answers(self) -> bool:
        assert self._process is None or self._process.poll() is None, self.log
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def ask(self, statement: str) -> list[tuple[object, ...]]:
        """The rows of a statement, committed."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def set(self, name: str, value: str) -> None:
        """Change a setting that needs no restart; it holds when this returns."""
        self.ask(f"alter system set {name} = '{value}'")
        self.ask("select pg_reload_conf()")
        until(lambda: self.ask(f"select current_setting('{name}')") == [(value,)])

    def processes(self) -> list[psutil.Process]:
        """The server and its backends."""
        return processes_of(self.place.data, self.place.uid)

    def suspend(self) -> None:
        """Stop everything in it by SIGSTOP: sockets are open and nobody answers."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.suspend()

    def resume(self) -> None:
        """Let it continue."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.resume()

    def kill(self) -> None:
        """By SIGKILL, with all its backends."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
        self._bury()

    def stop(self) -> None:
        """Orderly, after at most a few seconds."""
        if self._process:
            self.resume()
            end_server(psutil.Process(self._process.pid), STOP_SECONDS)
            self._bury()

    def _bury(self) -> None:
        if self._process:
            self._process.wait(60)
            self._process = None
        until(lambda: not self.processes())

    def promote(self) -> None:
        """Make a standby the primary; it takes writes when this returns."""
        self.ask("select pg_promote()")
        until(lambda: self.ask("select pg_is_in_recovery()") == [(False,)])

    def standbys(self) -> list[tuple[object, ...]]:
        """Name, state and kind (async, sync) of the standbys that follow."""
        return self.ask("select application_name, state, sync_state from pg_stat_replication")


@contextlib.contextmanager
def open_primary(folder: Path | None = None, **settings: str) -> Iterator[Server]:
    """A new server with an empty database; it is stopped and, without `folder`, removed."""
    with contextlib.ExitStack() as stack:
        place = find_place((folder or stack.enter_context(open_folder())) / "server")
        _run(place, "initdb", "--username=postgres", "--auth=trust", "--encoding=utf8", "--no-sync")
        server = Server(place, settings)
        stack.callback(server.stop)
        server.start()
        yield server


@contextlib.contextmanager
def open_standby(primary: Server, name: str = "standby", **settings: str) -> Iterator[Server]:
    """A copy of a running server that follows it, under `name`; it has caught up."""
    with open_folder() as folder:
        place = find_place(folder / "server")
        _run(place, "pg_basebackup", "-d", primary.url, "--checkpoint=fast", "-R", "--no-sync")
        (place.data / f"{primary.socket.name}.lock").unlink()  # it was copied too
        follows = make_conninfo(primary.url, application_name=name)
        server = Server(place, {**settings, "primary_conninfo": follows})
        try:
            server.start()
            until(lambda: (name, "streaming") in {each[:2] for each in primary.standbys()})
            yield server
        finally:
            server.stop()


def _run(place: Place, program: str, *words: str) -> None:
    """Make a data directory with it."""
    place.data.mkdir(mode=0o700)
    os.chown(place.data, place.uid, -1)
    subprocess.run(  # noqa: S603 -- our own program
        [place.programs / program, *words, "-D", place.data],
        cwd="/",
        env=environment(),
        check=True,
        capture_output=True,
        timeout=300,
        **place.run_as(),  # type: ignore[call-overload] # the names are right
    )


class Network:
    """Between us and a server: TCP that can be frozen, cut, or forget its connections.

    A pair is a connection of ours and the one to the server; one that is in no list is lost.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._flows = threading.Event()
        self._flows.set()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._closed = False
        self._forgotten: list[tuple[socket.socket, socket.socket]] = []
        self._joining: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        """How to connect through it."""
        return f"postgresql://postgres@127.0.0.1:{self._listener.getsockname()[1]}/postgres"

    def freeze(self) -> None:
        """Swallow everything, as a black hole does; connections are still accepted."""
        self._flows.clear()

    def thaw(self) -> None:
        """Let everything pass again, with what was held back."""
        self._flows.set()

    def forget(self) -> None:
        """Leave the connections half open: the server has lost them and nobody tells us.

        New ones work.
        """
        pairs, self._pairs = self._pairs, []
        self._forgotten += pairs
        for _, there in pairs:
            _shut(there)

    def cut(self) -> None:
        """Close every connection."""
        pairs, self._pairs = self._pairs, []
        for here, there in pairs:
            _shut(here)
            _shut(there)

    def close(self) -> None:
        """End it."""
        self._closed = True
        self.thaw()
        _shut(self._listener)
        self._accepting.join()
        self._listener.close()
        self._forgotten += self._pairs
        self._pairs = []
        for pair in self._forgotten:
            for each in pair:
                _shut(each)
        for joining in self._joining:
            joining.join()

    def _accept(self) -> None:
        while not self._closed:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            joining = threading.Thread(target=self._join, args=(here,), daemon=True)
            joining.start()
            self._joining = [each for each in self._joining if each.is_alive()] + [joining]

    def _join(self, here: socket.socket) -> None:
        self._flows.wait()
        there = socket.socket(socket.AF_UNIX)
        try:
            there.connect(str(self._server.socket))
        except OSError:
            there.close()
            here.close()
            return
        pair = here, there
        self._pairs.append(pair)
        other = threading.Thread(target=self._pump, args=(pair, here, there), daemon=True)
        other.start()
        self._pump(pair, there, here)
        other.join()
        here.close()
        there.close()

    def _pump(
        self, pair: tuple[socket.socket, socket.socket], source: socket.socket, to: socket.socket
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                if pair in self._pairs:
                    to.sendall(data)
        self._flows.wait()
        if pair in self._pairs:
            _shut(to)


@contextlib.contextmanager
def open_network(server: Server) -> Iterator[Network]:
    """A network to a server, for as long as it is needed."""
    network = Network(server)
    try:
        yield network
    finally:
        network.close()


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)

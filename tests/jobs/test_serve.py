"""`billing serve` with its own database: each killed process is restarted, and no other ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from billing.database import migrate
from billing.database.embedded import EmbeddedServer
from billing.database.processes import is_alive
from billing.database.states import read_states, unwell
from billing.jobs.jobs import JOBS
from billing.jobs.serve import DatabaseGuard
from tests.embedded import made_once, open_folder, server_pid, until
from tests.ingest.serving import free_port
from tests.trust import TRUST

BILLING = [sys.executable, "-m", "billing"]


class Service:
    """`billing serve` with an embedded database, or with the database of a URL."""

    def __init__(self, data_dir: Path, url: str = "") -> None:
        self.data_dir = data_dir
        self.web, self.cdr = free_port(), free_port()
        self.environment = {
            **os.environ,
            "DATABASE_URL": url,
            "BILLING_DATA_DIR": str(data_dir),
            "BILLING_WEB_PORT": str(self.web),
            "BILLING_CDR_PORT": str(self.cdr),
        }
        self.process = subprocess.Popen([*BILLING, "serve"], env=self.environment)  # noqa: S603 -- ourselves

    def status(self, port: int, path: str) -> int:
        """What a port answers; 0 if it does not."""
        address = f"http://127.0.0.1:{port}{path}"
        try:
            return httpx.get(address, timeout=30, verify=TRUST).status_code
        except httpx.TransportError:
            return 0

    def submit(self) -> int:
        """What a sender with a wrong password is answered: 401 where the database was asked."""
        address, auth = f"http://127.0.0.1:{self.cdr}/v1/cdr", ("nobody", "x")
        try:
            return httpx.post(address, auth=auth, timeout=30, verify=TRUST).status_code
        except httpx.TransportError:
            return 0

    def is_ready(self) -> bool:
        return self.status(self.web, "/readyz") == 200 and self.submit() in (401, 429)

    def pids(self) -> dict[str, int]:
        """Return the running processes, as `serve` reports them."""
        return {state.name: state.pid for state in read_states(self.data_dir) if state.pid}

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


def refused(environment: dict[str, str], *words: str) -> str:
    """Return the message of a command that is refused: one line, no traceback."""
    done = subprocess.run(  # noqa: S603 -- ourselves
        [*BILLING, *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done
    told = [line for line in done.stderr.splitlines() if line.startswith("billing: ")]
    assert len(told) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return told[0]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with open_folder() as folder:
        service = Service(folder / "data")
        until(service.is_ready)
        yield service
        service.process.kill()
        service.process.wait()


def test_a_killed_database_is_started_again_and_the_ports_go_on(service: Service) -> None:
    before = service.pids()
    assert before.keys() == {"database", *JOBS}
    os.kill(before["database"], signal.SIGKILL)
    until(lambda: service.pids().get("database", before["database"]) != before["database"])
    until(service.is_ready)
    after = service.pids()
    assert after["database"] == server_pid(service.data_dir)
    assert (after["web"], after["submission"]) == (before["web"], before["submission"])
    until(lambda: service.pids().keys() == {"database", *JOBS})


def test_a_child_that_always_dies_ends_nobody_else(service: Service) -> None:
    until(lambda: service.pids().keys() == {"database", *JOBS})
    before = service.pids()
    killed = set[int]()
    while len(killed) < 5:
        until(lambda: service.pids().get("rerating", 0) not in {0, *killed})
        pid = service.pids()["rerating"]
        killed.add(pid)
        psutil.Process(pid).kill()
    until(lambda: any(state.deaths >= 5 for state in read_states(service.data_dir)))
    assert "rerating" in {state.name for state in unwell(service.data_dir)}
    assert service.is_ready()
    assert {**service.pids(), "rerating": 0} == {**before, "rerating": 0}
    until(lambda: "rerating" in service.pids())


def test_a_second_service_on_the_same_data_is_refused_in_words(service: Service) -> None:
    other = {
        **service.environment,
        "BILLING_WEB_PORT": str(free_port()),
        "BILLING_CDR_PORT": str(free_port()),
    }
    assert "Another `billing serve` runs with the data in" in refused(other, "serve")
    with open_folder() as folder:
        same_port = {
            **service.environment,
            "BILLING_DATA_DIR": str(folder),
            "DATABASE_URL": "postgresql://x:geheim@127.0.0.1:1/x",
        }
        told = refused(same_port, "serve")
        assert f"The port {service.web} of 127.0.0.1 can't be used" in told
        told = refused(same_port, "migrate")
        assert "The database at 127.0.0.1:1 can't be used: Connection refused" in told
        assert "geheim" not in told
    assert service.is_ready()


def test_a_hangup_is_no_end_and_sigterm_ends_everything(service: Service) -> None:
    service.process.send_signal(signal.SIGHUP)
    pids = service.pids()
    assert service.is_ready()
    assert service.end() == 0
    until(lambda: not any(psutil.pid_exists(pid) for pid in pids.values()))
    assert server_pid(service.data_dir) == 0


def test_a_service_killed_at_once_takes_its_database_over(service: Service) -> None:
    """Continues the test above, which has ended the service."""
    again = Service(service.data_dir)
    until(again.is_ready)
    database = psutil.Process(again.pids()["database"])
    again.process.kill()
    again.process.wait()
    third = Service(service.data_dir)
    until(third.is_ready)
    assert third.pids()["database"] == database.pid
    assert third.end(signal.SIGINT) == 0
    assert not is_alive(database)  # a zombie does not count: reaping it is up to the system


def test_a_service_waits_for_its_database_and_says_so_at_once() -> None:
    with made_once() as made, open_folder() as folder:
        server = EmbeddedServer(made)
        url = server.url
        server.stop()
        service = Service(folder, url)
        try:
            until(lambda: service.status(service.web, "/readyz") == 503)
            until(lambda: service.submit() == 503)
            assert service.status(service.web, "/healthz") == 200
            assert service.status(service.cdr, "/healthz") == 200
            assert service.process.poll() is None
            server = EmbeddedServer(made)
            until(service.is_ready)
            assert migrate(url) == []
            assert service.end() == 0
        finally:
            service.process.kill()
            service.process.wait()
            server.stop()


def test_whatever_goes_wrong_with_a_database_it_is_tried_again() -> None:
    errors: list[Exception] = [psycopg.OperationalError(), IndexError("not foreseen"), OSError()]

    def prepare() -> None:
        if errors:
            raise errors.pop(0)

    guard = DatabaseGuard("dbname=none", None, prepare)
    guard.start(patience=0.0)
    until(lambda: guard.prepared, 15)
    guard.stop()
    assert not errors

"""Every state that docs/operator.md tells of, brought about: what each port answers in it."""

import contextlib
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from billing.database import migrate
from tests.embedded import open_folder, until
from tests.ingest.serving import ACCOUNT, record
from tests.ingest.serving import PASSWORD as DEVICE_PASSWORD
from tests.ingest.serving import install as install_device
from tests.jobs.test_serve import Service
from tests.standby import Network, Server, open_network, open_primary
from tests.web.serving import PASSWORD, add_administrator

OPERATOR = Path(__file__).parents[2] / "docs" / "operator.md"
ROW = re.compile(r"^\| ([^|]+) " + r"\| (\d{3}) " * 5 + r"\|$", re.MULTILINE)
STATES = {name: tuple(map(int, answers)) for name, *answers in ROW.findall(OPERATOR.read_text())}
WELL = "all is well"
MEGABYTES = 400  # of the disk that is filled
DOUBT = """
insert into beats (at, doubt) values (now(), 'jumped')
on conflict (one) do update set doubt = 'jumped', ran_seconds = 0"""
POSITION = """
update checkpoints set position = position {} 60000 where name in ('calls', 'balances')"""
State = contextlib.AbstractContextManager[None]


class Drill:
    """A service with its database behind a network, and all that can be done to them."""

    def __init__(self, disk: Path | None, server: Server, network: Network, folder: Path) -> None:
        self.disk, self.server, self.network = disk, server, network
        self.service = Service(folder, network.url)
        self.client = httpx.Client(timeout=60, headers={"accept-language": "en"})
        self.numbers = count()
        self.acknowledged = set[str]()

    def sign_in(self) -> None:
        pages = f"http://127.0.0.1:{self.service.web}"
        form = {"name": "marta", "password": PASSWORD}
        self.client.post(f"{pages}/sign-in", data=form, headers={"origin": pages})

    def answers(self) -> tuple[int, ...]:
        """What both ports answer; all are asked, and each 503 says when to ask again."""
        web, cdr = self.service.web, self.service.cdr
        health = {self._get(port, "/healthz") for port in (web, cdr)}
        assert len(health) == 1
        return (
            health.pop(),
            self._get(cdr, "/readyz"),
            self._get(web, "/readyz"),
            self._submit(),
            self._get(web, "/companies"),
        )

    def _get(self, port: int, path: str) -> int:
        return self._status(self.client.get(f"http://127.0.0.1:{port}{path}"))

    def _submit(self) -> int:
        number = next(self.numbers)
        answer = self.client.post(
            f"http://127.0.0.1:{self.service.cdr}/v1/cdr",
            content=record(number),
            auth=(ACCOUNT, DEVICE_PASSWORD),
        )
        if answer.status_code == 200:
            self.acknowledged.add(f"r{number}")
        return self._status(answer)

    def _status(self, answer: httpx.Response) -> int:
        assert answer.status_code != 503 or answer.headers["retry-after"]
        return answer.status_code

    def readiness(self) -> str:
        """What the pages' port says."""
        return self.client.get(f"http://127.0.0.1:{self.service.web}/readyz").text

    def process(self, name: str) -> psutil.Process:
        until(lambda: name in self.service.pids())
        return psutil.Process(self.service.pids()[name])

    def _suspend(self, process: psutil.Process, statement: str) -> bool:
        """And change the table it works on; not in the middle of a transaction of its own."""
        process.suspend()
        try:
            self.server.ask(f"set lock_timeout = '1s'; {statement}")
        except psycopg.errors.LockNotAvailable:
            process.resume()
            return False
        return True

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        self.server.stop()
        try:
            yield
        finally:
            self.server.start()

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        self.server.suspend()
        try:
            yield
        finally:
            self.server.resume()

    @contextlib.contextmanager
    def swallowed(self) -> Iterator[None]:
        """And then the connections are half open."""
        self.network.freeze()
        try:
            yield
        finally:
            self.network.forget()
            self.network.thaw()

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        if self.disk is None:
            pytest.skip("only root makes a small disk")
        ballast = self.disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(65536))
        try:
            yield
        finally:
            ballast.unlink()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        self.server.set("synchronous_standby_names", "nobody")
        try:
            yield
        finally:
            self.server.set("synchronous_standby_names", "")

    @contextlib.contextmanager
    def behind(self) -> Iterator[None]:
        following = self.process("projections")
        until(lambda: self._suspend(following, POSITION.format("-")))
        try:
            yield
        finally:
            self.server.ask(POSITION.format("+"))
            following.resume()

    @contextlib.contextmanager
    def dying(self) -> Iterator[None]:
        for _ in range(2):
            with contextlib.suppress(psutil.NoSuchProcess):
                self.process("rerating").kill()
        until(lambda: "rerating ended with -9" in self.readiness())
        yield
        assert "rerating ended with -9" in self.readiness()
        system = self.client.get(f"http://127.0.0.1:{self.service.web}/system").text
        assert "The process rerating ended unexpectedly" in system

    @contextlib.contextmanager
    def doubted(self) -> Iterator[None]:
        keeping = self.process("keeping")
        until(lambda: self._suspend(keeping, DOUBT))
        until(lambda: "the clock is in doubt" in self.readiness())
        try:
            yield
        finally:
            self.server.ask("update beats set doubt = ''")
            keeping.resume()


ENTER: dict[str, Callable[[Drill], State]] = {
    WELL: lambda _: contextlib.nullcontext(),
    "PostgreSQL is stopped": Drill.stopped,
    "PostgreSQL does not answer (SIGSTOP)": Drill.suspended,
    "the network swallows everything": Drill.swallowed,
    "the disk of the database is full": Drill.full,
    "the synchronous standby is away": Drill.alone,
    "page data is behind": Drill.behind,
    "a process ends again and again": Drill.dying,
    "the clock is in doubt": Drill.doubted,
}


@contextlib.contextmanager
def small_disk() -> Iterator[Path | None]:
    """A folder on a disk of MEGABYTES; None where we may make none."""
    with open_folder() as folder:
        place = folder / "disk"
        place.mkdir()
        size = f"size={MEGABYTES}m,mode=0711"
        mount = ["/bin/mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)]
        if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:  # noqa: S603 -- the system's own
            yield None
            return
        try:
            yield place
        finally:
            subprocess.run(["/bin/umount", "-l", place], check=True)  # noqa: S603 -- the system's own


@pytest.fixture(scope="module")
def drill() -> Iterator[Drill]:
    with (
        small_disk() as disk,
        open_primary(disk, max_wal_size="64MB", min_wal_size="32MB") as server,
        open_network(server) as network,
        open_folder() as folder,
    ):
        migrate(server.url)
        install_device(server.url)
        add_administrator(server.url)
        server.stop()
        drill = Drill(disk, server, network, folder)
        try:
            yield drill
        finally:
            drill.client.close()
            drill.service.end()


@pytest.mark.drill
def test_a_service_started_before_its_database_answers_503_and_waits(drill: Drill) -> None:
    until(lambda: drill.service.status(drill.service.web, "/healthz") == 200)
    until(lambda: drill.service.status(drill.service.cdr, "/healthz") == 200)
    assert drill.answers() == (200, 503, 503, 503, 503)
    drill.server.start()
    until(drill.service.is_ready)
    drill.sign_in()
    assert drill.service.process.poll() is None


def test_every_state_of_the_table_is_drilled() -> None:
    assert STATES.keys() == ENTER.keys()


@pytest.mark.drill
@pytest.mark.parametrize("name", STATES)
def test_the_ports_answer_as_the_table_says_and_recover(drill: Drill, name: str) -> None:
    """After the test above has started the database."""
    until(lambda: drill.answers() == STATES[WELL])
    with ENTER[name](drill):
        until(lambda: drill.answers() == STATES[name])
    until(lambda: drill.answers() == STATES[WELL])
    assert drill.service.process.poll() is None


@pytest.mark.drill
def test_whatever_was_acknowledged_in_between_is_in_the_log_once(drill: Drill) -> None:
    """After all of them."""
    found = drill.server.ask(
        "select originator_id from billing_events where originator_id like 'call:%'"
    )
    keys = [str(stream).rpartition(":")[2] for (stream,) in found]
    assert len(keys) == len(set(keys))
    assert drill.acknowledged <= set(keys)

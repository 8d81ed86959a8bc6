"""Commands of an installer and an operator in separate processes, some of which are killed."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pyotp
import pytest

from billing.aggregates.administrator import AdministratorLimited
from billing.aggregates.call import CallRated
from billing.aggregates.event import Envelope
from billing.cli.demo import synthetic_lines
from billing.commands import second_factors
from billing.jobs.jobs import JOBS
from billing.keeping.verifying import verify
from billing.log.store import Store
from billing.projections import projections
from billing.projections.runner import Runner
from tests.ingest.serving import free_port, record, wait_for
from tests.projections.sample import charges

BILLING = [sys.executable, "-m", "billing"]
RECORDS = 12_000
PRICES = "prefix,name,price_per_minute\n34,España,0.018\n346,Móviles,0.045\n"


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": database_url, "BILLING_DATA_DIR": str(tmp_path)}


def run(environment: dict[str, str], *words: str, code: int = 0) -> str:
    done = subprocess.run(  # noqa: S603 -- ourselves
        [*BILLING, *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.fixture
def installed(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Install as docs/installer.md describes; return the credentials of the device."""
    prices = tmp_path / "prices.csv"
    prices.write_text(PRICES)
    assert "password:" in run(environment, "admin", "add", "marta")
    run(environment, "group", "add", "Standard", "--rates", str(prices))
    run(environment, "company", "add", "Acme", "--group", "Standard")
    place = ("--zone", "Europe/Madrid", "--country", "ES", "--area", "91")
    said = run(environment, "device", "add", "PBX", "--company", "Acme", *place)
    return dict(re.findall(r"(account|password): +(\S+)", said))


def test_somebody_is_added_with_a_limit(
    environment: dict[str, str], installed: dict[str, str], database_url: str
) -> None:
    assert installed
    run(environment, "company", "add", "Bento")
    words = ("admin", "add", "nuria", "--role", "operator", "--company", "Acme")
    assert "password:" in run(environment, *words, "--company", "Bento")
    said = run(environment, "admin", "add", "olga", "--company", "Nobody", code=1)
    assert "There is no company Nobody" in said
    store = Store(database_url)
    added = [
        recorded.event
        for recorded in store.after_without_calls(0, 1000)
        if isinstance(recorded.event, AdministratorLimited)
    ]
    store.close()
    assert [len(event.companies) for event in added] == [2]


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "records.ndjson"
    begin = datetime(2026, 10, 1, tzinfo=UTC)
    lines = synthetic_lines(
        random.Random(1),  # noqa: S311 -- repeatable, not secret
        RECORDS,
        begin=begin,
        end=begin + timedelta(days=40),
        extensions=["101"],
        country="ES",
    )
    path.write_bytes(b"".join(lines))
    return path


def stored(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select count(*) from billing_events where originator_id like 'call:%'"
        ).fetchone()
    assert row
    return int(row[0])


def sums(url: str) -> dict[str, int]:
    """Return the charges of the log and of each read model, once they are up to date."""
    store = Store(url)
    runner = Runner(url, store, projections("Europe/Madrid"))
    runner.catch_up()
    runner.close()
    events = [recorded.event for recorded in store.after(0, 10**6)]
    log = sum(event.rating.amount_micros for event in events if isinstance(event, CallRated))
    store.close()
    return {**charges(url), "log": log}


@pytest.mark.usefixtures("installed")
def test_a_file_goes_in_once_however_often_it_is_given(
    environment: dict[str, str], records: Path
) -> None:
    first = run(environment, "ingest", str(records), "--device", "PBX", "--format", "native")
    assert f"{RECORDS} read:" in first
    assert "0 duplicate" in first
    again = run(environment, "ingest", str(records), "--device", "PBX")
    assert f"{RECORDS} read: 0 accepted, {RECORDS} duplicate" in again
    assert "all fit" in run(environment, "verify")
    assert "was rebuilt" in run(environment, "rebuild", "calls")


@pytest.mark.usefixtures("installed")
def test_an_ingestion_killed_in_the_middle_is_ended_by_the_next_one(
    environment: dict[str, str], records: Path, database_url: str
) -> None:
    command = [*BILLING, "ingest", str(records), "--device", "PBX"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)  # noqa: S603 -- ourselves
    while stored(database_url) == 0:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    half = stored(database_url)
    assert half < RECORDS
    run(environment, "ingest", str(records), "--device", "PBX")
    assert stored(database_url) == RECORDS
    assert verify(database_url).fault == ""
    found = sums(database_url)
    assert len(set(found.values())) == 1
    assert found["log"] > 0


def test_verify_names_what_was_tampered_with(
    environment: dict[str, str], database_url: str
) -> None:
    run(environment, "company", "add", "Acme")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update billing_events set topic = 'CompanyClosed.1'")
    done = subprocess.run([*BILLING, "verify"], env=environment, capture_output=True, check=False)  # noqa: S603 -- ourselves
    assert done.returncode == 1
    assert b"was altered" in done.stdout


def test_who_lost_password_and_phone_is_let_in_again_on_the_machine(
    environment: dict[str, str], database_url: str
) -> None:
    first = run(environment, "admin", "add", "marta")
    envelope = Envelope(recorded_at=datetime.now(UTC), actor="system", address="tests")
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute("select administrator_id from administrator_credentials")
        own_id = str((row.fetchone() or ("",))[0])
        second_factors.begin(connection, own_id)
        secret = str((connection.execute("select secret from second_factors").fetchone() or "")[0])
        store = Store(database_url)
        code = pyotp.TOTP(secret).now()
        command = second_factors.Confirm(administrator_id=own_id, code=code)
        second_factors.confirm(store, connection, command, envelope)
        store.close()
        said = run(environment, "admin", "reset", "Marta")
        assert "password:" in said
        assert "Two-factor was reset" in said
        assert said.split()[1] not in first
        assert connection.execute("select 1 from second_factors").fetchone() is None
        assert connection.execute("select 1 from recovery_codes").fetchone() is None
    assert "There is no administrator eve" in run(environment, "admin", "reset", "eve", code=1)


def test_what_is_refused_says_why(environment: dict[str, str], tmp_path: Path) -> None:
    missing = ("device", "add", "PBX", "--company", "Nobody", "--country", "ES")
    assert "There is no company Nobody." in run(environment, *missing, code=1)
    run(environment, "admin", "add", "marta")
    assert "marta is taken" in run(environment, "admin", "add", "marta", code=1)
    assert "not a role" in run(environment, "admin", "add", "ana", "--role", "king", code=1)
    prices = tmp_path / "prices.csv"
    prices.write_text("prefix,name\n34,España\n")
    refused = run(environment, "group", "add", "G", "--rates", str(prices), code=1)
    assert "The column price_per_minute is missing." in refused
    wrong_port = {**environment, "BILLING_WEB_PORT": "high"}
    assert "BILLING_WEB_PORT can't be 'high'" in run(wrong_port, "migrate", code=1)
    assert "There is no file" in run(environment, "ingest", "nothing", "--device", "x", code=1)
    assert "no projection nothing" in run(environment, "rebuild", "nothing", code=1)


class Service:
    """`billing serve` on free ports, in its own process group."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.web, self.cdr = free_port(), free_port()
        ports = {"BILLING_WEB_PORT": str(self.web), "BILLING_CDR_PORT": str(self.cdr)}
        self.process = subprocess.Popen(  # noqa: S603 -- ourselves
            [*BILLING, "serve"], env={**environment, **ports}, start_new_session=True
        )
        self.wait()

    def wait(self) -> None:
        for port in (self.web, self.cdr):
            wait_for(port, self.process)

    def kill(self) -> None:
        """Kill every process at once, as a power failure would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)


@pytest.fixture
def service(environment: dict[str, str]) -> Iterator[Service]:
    service = Service(environment)
    yield service
    if service.process.poll() is None:
        service.kill()


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in found.split()]


def test_a_child_that_dies_is_started_again_and_sigterm_ends_all(service: Service) -> None:
    assert httpx.get(f"http://127.0.0.1:{service.web}/healthz").status_code == 200
    before = children(service.process.pid)
    assert len(before) == len(JOBS)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    while len(set(children(service.process.pid)) - set(before)) < len(JOBS):
        time.sleep(0.1)
    service.wait()
    assert httpx.get(f"http://127.0.0.1:{service.cdr}/healthz").status_code == 200
    after = children(service.process.pid)
    assert service.stop() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in after)


def test_what_was_acknowledged_survives_a_kill_of_the_whole_service(
    environment: dict[str, str], installed: dict[str, str], database_url: str
) -> None:
    service = Service(environment)
    acknowledged = 0
    auth = (installed["account"], installed["password"])
    address = f"http://127.0.0.1:{service.cdr}/v1/cdr"
    with httpx.Client(auth=auth, timeout=30) as client:
        for number in range(30):
            body = b"".join(record(100 * number + n) for n in range(100))
            acknowledged += client.post(address, content=body).json()["accepted"]
            if number == 20:
                break
        service.kill()
    assert stored(database_url) == acknowledged == 2_100
    again = Service(environment)
    with httpx.Client(auth=auth, timeout=30) as client:
        for number in range(30):
            body = b"".join(record(100 * number + n) for n in range(100))
            answer = client.post(f"http://127.0.0.1:{again.cdr}/v1/cdr", content=body).json()
            assert answer["duplicate"] == (100 if number <= 20 else 0)
    assert again.stop() == 0
    assert stored(database_url) == 3_000
    assert verify(database_url).fault == ""
    assert len(set(sums(database_url).values())) == 1

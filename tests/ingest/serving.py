"""Runs the real submission interface on a real port, with a device that may submit."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg

from billing.aggregates.event import Envelope
from billing.cli.setup import said_here
from billing.commands import companies, devices, rate_groups
from billing.jobs.ports import WAITS
from billing.log.store import Store
from billing.rating.rates import Rate, Tier
from tests.trust import TRUST

ACCOUNT, PASSWORD = "acme", "s3cret"  # as in the captures


def free_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def install(url: str, device_id: str = "pbx", account: str = ACCOUNT) -> None:
    """Set up a company with prices, and a device."""
    store, said = Store(url), said_here()
    if not store.load("company:acme"):
        _company(store, said)
    devices.register_device(
        store,
        devices.RegisterDevice(
            device_id=device_id,
            company_id="acme",
            name=device_id,
            time_zone="UTC",
            country="ES",
            area_code="91",
        ),
        said,
    )
    store.close()
    with psycopg.connect(url, autocommit=True) as connection:
        devices.issue_device_password(connection, device_id, account, PASSWORD)


def _company(store: Store, said: Envelope) -> None:
    group = rate_groups.CreateRateGroup(group_id="g", name="Standard", currency="EUR")
    rate_groups.create_rate_group(store, group, said)
    flat = tuple(
        Rate(name=name, prefix=prefix, tiers=(Tier(price=price),))
        for prefix, name, price in (("34", "España", "0.018"), ("49", "Alemania", "0.058"))
    )
    rate_groups.change_rates(store, rate_groups.ChangeRates(group_id="g", rates=flat), said)
    opened = companies.OpenCompany(
        company_id="acme", name="Acme", currency="EUR", time_zone="Europe/Madrid"
    )
    companies.open_company(store, opened, said)
    companies.bind_rate_group(store, companies.BindRateGroup(company_id="acme", group_id="g"), said)


def record(number: int, **changes: object) -> bytes:
    """Return a record in the native format."""
    values: dict[str, object] = {
        "id": f"r{number}",
        "start": "2026-11-23T10:00:00Z",
        "answer": "2026-11-23T10:00:05Z",
        "end": "2026-11-23T10:01:05Z",
        "duration_ms": 65_000,
        "bill_ms": 60_000,
        "src": "101",
        "dst": "934567890",
        "disposition": "answered",
        **changes,
    }
    return httpx.Request("POST", "http://x", json=values).content + b"\n"


@contextmanager
def served(url: str) -> Iterator[str]:
    """Run the interface in its own process; yield its URL."""
    port = free_port()
    environment = {**os.environ, "DATABASE_URL": url, "BILLING_CDR_PORT": str(port)}
    command = [sys.executable, "-m", "billing.jobs", "submission"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)  # noqa: S603 -- ourselves
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the application answers at the port, and not what holds it for that."""
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError(process.returncode)
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=30, verify=TRUST)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            if answer.text != WAITS:
                return
            time.sleep(0.1)
    raise TimeoutError(port)


def post_capture(url: str, path: Path) -> tuple[int, bytes]:
    """Send a captured request, apart from its note and line ends; return status and body."""
    head, body = path.read_bytes().split(b"\n", 1)[1].split(b"\n\n", 1)
    head = head.replace(b"\r", b"").replace(b"\n", b"\r\n")
    port = int(url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(head + b"\r\n\r\n" + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(65_536)
        head, _, content = answer.partition(b"\r\n\r\n")
        found = re.search(rb"content-length: (\d+)", head.lower())
        while found and len(content) < int(found.group(1)):
            content += connection.recv(65_536)
    return int(head.split()[1]), content

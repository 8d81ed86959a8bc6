"""A test record that is sent to the real submission interface like a device sends it."""

import asyncio
import base64
import http.client
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg

from billing.commands.devices import issue_device_password, remove_device_account
from billing.config import Config
from billing.values import new_id

SECONDS = 10  # wait for a response


class TrialResponse(msgspec.Struct, frozen=True):
    """The response of the interface: status and body, or why there is none."""

    status: int
    body: str


async def send_trial(config: Config, database_url: str, device_id: str) -> TrialResponse:
    """Send an unanswered call, which costs nothing, with a device account made for this test."""
    return await asyncio.to_thread(_send, config, database_url, device_id)


def _send(config: Config, database_url: str, device_id: str) -> TrialResponse:
    account = f"trial-{new_id()}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        password = issue_device_password(connection, device_id, account)
        try:
            return _post(config, account, password)
        finally:
            remove_device_account(connection, account)


def _post(config: Config, account: str, password: str) -> TrialResponse:
    now = datetime.now(UTC).replace(microsecond=0)
    record = {
        "id": account,
        "start": (now - timedelta(seconds=5)).isoformat(),
        "end": now.isoformat(),
        "duration_ms": 5_000,
        "bill_ms": 0,
        "src": "test",
        "dst": "test",
        "disposition": "no answer",
    }
    secret = base64.b64encode(f"{account}:{password}".encode()).decode()
    headers = {"authorization": f"Basic {secret}", "content-type": "application/json"}
    host = "127.0.0.1" if config.bind_address in ("0.0.0.0", "::") else config.bind_address  # noqa: S104 -- compared, not bound
    connection = http.client.HTTPConnection(host, config.cdr_port, timeout=SECONDS)
    try:
        connection.request("POST", "/v1/cdr", msgspec.json.encode(record), headers)
        response = connection.getresponse()
        return TrialResponse(response.status, response.read(10_000).decode(errors="replace"))
    except OSError as error:
        return TrialResponse(0, str(error))
    finally:
        connection.close()

"""Authentication of devices: failures expire, passwords are hashed one at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from billing.database import Database
from billing.ingest.doorkeeper import (
    BURST,
    REFILL_SECONDS,
    Doorkeeper,
    Failures,
    Throttled,
    credentials_of,
)
from tests.ingest.serving import ACCOUNT, PASSWORD, install


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Basic YWNtZTpzM2NyZXQ=", ("acme", "s3cret")),
        ("basic YTpiOmM=", ("a", "b:c")),
        ("Basic YWNtZQ==", ("acme", "")),
        ("Basic YWNtZTpzM2Ny\xe9dD0=", None),
        ("Basic /+8=", None),
        ("Basic abc", None),
        ("Bearer YTpi", None),
        ("", None),
    ],
)
def test_credentials_are_read_or_there_are_none(
    header: str, expected: tuple[str, str] | None
) -> None:
    assert credentials_of(header) == expected


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_of_failures_must_wait_but_is_forgiven_with_time() -> None:
    clock = Clock()
    failures = Failures(clock)
    for _ in range(BURST - 1):
        failures.add("acme")
    assert failures.wait("acme") == 0
    failures.add("acme")
    assert failures.wait("acme") == REFILL_SECONDS
    assert failures.wait("other") == 0
    clock.now += REFILL_SECONDS
    assert failures.wait("acme") == 0
    clock.now += 1_000
    for _ in range(BURST - 1):
        failures.add("acme")
    assert failures.wait("acme") == 0


@asynccontextmanager
async def doorkeeper(url: str) -> AsyncIterator[Doorkeeper]:
    pool = await Database(url).open_async()
    yield Doorkeeper(pool)
    await pool.close()


def test_the_right_password_is_accepted_and_a_wrong_one_is_not(database_url: str) -> None:
    install(database_url)

    async def knock() -> list[str | None]:
        async with doorkeeper(database_url) as door:
            tries = [(ACCOUNT, PASSWORD), (ACCOUNT, "wrong"), ("nobody", PASSWORD), ("a\0b", "x")]
            return [await door.admit(*credentials, "192.0.2.1") for credentials in tries]

    assert asyncio.run(knock()) == ["pbx", None, None, None]


def test_an_ip_address_that_guesses_waits_but_a_verified_device_does_not(database_url: str) -> None:
    install(database_url)

    async def knock() -> str | None:
        async with doorkeeper(database_url) as door:
            assert await door.admit(ACCOUNT, PASSWORD, "192.0.2.1") == "pbx"
            for _ in range(BURST):
                await door.admit(ACCOUNT, "guess", "192.0.2.1")
            with pytest.raises(Throttled):
                await door.admit(ACCOUNT, "guess", "192.0.2.1")
            return await door.admit(ACCOUNT, PASSWORD, "192.0.2.1")

    assert asyncio.run(knock()) == "pbx"


def test_a_revoked_password_is_no_longer_accepted(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(database_url)
    monkeypatch.setattr("billing.ingest.doorkeeper.FRESH_SECONDS", 0.0)

    async def knock() -> list[str | None]:
        async with doorkeeper(database_url) as door:
            before = await door.admit(ACCOUNT, PASSWORD, "192.0.2.1")
            with psycopg.connect(database_url, autocommit=True) as connection:
                connection.execute("update device_credentials set valid_until = now()")
            return [before, await door.admit(ACCOUNT, PASSWORD, "192.0.2.1")]

    assert asyncio.run(knock()) == ["pbx", None]

"""Authentication of devices: failures expire, passwords are hashed one at a time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import argon2
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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

CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


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
    yield Doorkeeper(pool, Clock())  # no failure is forgiven, however long the hashes take
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


def add_credentials(url: str, count: int) -> None:
    """Accounts acme0, acme1 … of devices pbx0, pbx1 …; their hashes are cheap to check."""
    with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into device_credentials (device_id, account, password_hash)"
            " values (%s, %s, %s)",
            [(f"pbx{number}", f"acme{number}", CHEAP) for number in range(count)],
        )


@pytest.mark.parametrize("shared", ["account", "network"])
def test_of_many_guesses_at_once_no_more_are_checked_than_are_allowed(
    shared: str, database_url: str
) -> None:
    add_credentials(database_url, 100)

    async def knock() -> Counter[str]:
        async with doorkeeper(database_url) as door:

            async def guess(number: int) -> str:
                account, ip = "acme0", f"192.0.2.{number}"
                if shared == "network":
                    account, ip = f"acme{number}", f"2001:db8::{number}"
                try:
                    assert await door.admit(account, f"guess {number}", ip) is None
                except Throttled as throttled:
                    return f"waits {throttled.seconds}"
                return "checked"

            found = Counter(await asyncio.gather(*(guess(number) for number in range(100))))
            assert await door.admit("acme1", PASSWORD, "198.51.100.1") == "pbx1", "others go on"
            return found

    assert asyncio.run(knock()) == {"checked": BURST, "waits 6": 100 - BURST}


def test_many_right_passwords_at_once_from_one_address_are_all_admitted(database_url: str) -> None:
    add_credentials(database_url, 30)

    async def knock() -> list[str | None]:
        async with doorkeeper(database_url) as door:
            tries = [door.admit(f"acme{number}", PASSWORD, "192.0.2.1") for number in range(30)]
            return await asyncio.gather(*tries)

    assert asyncio.run(knock()) == [f"pbx{number}" for number in range(30)]


def test_a_flood_of_addresses_lets_nobody_guess_again_and_shuts_nobody_out() -> None:
    clock = Clock()
    failures = Failures(clock)
    for _ in range(BURST):
        failures.add("network:192.0.2.1")
    for number in range(20_000):
        failures.add(f"network:2001:db8:{number:x}::/64")
    assert failures.wait("network:192.0.2.1") >= REFILL_SECONDS - 1
    shut_out = [number for number in range(1_000) if failures.wait(f"network:10.0.0.{number}")]
    assert shut_out == []


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e6), st.sampled_from(["add", "give_back"])), max_size=60))
def test_a_wait_has_a_ceiling(steps: list[tuple[float, str]]) -> None:
    clock = Clock()
    failures = Failures(clock)
    for pause, step in steps:
        clock.now += pause
        if step == "give_back":
            failures.give_back("acme")
        elif not failures.wait("acme"):
            failures.add("acme")
        assert 0 <= failures.wait("acme") <= REFILL_SECONDS


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

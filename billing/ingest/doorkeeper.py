"""Authentication of devices by HTTP Basic; slows down guessing."""

import asyncio
import base64
import hashlib
import hmac
import logging
import secrets
import time
from array import array
from collections.abc import Callable
from math import ceil

import msgspec
import psycopg_pool

from billing.credentials.passwords import nobody, verify_password
from billing.doors.addresses import network_of

FRESH_SECONDS = 1.0  # how long a credential is cached
BURST, REFILL_SECONDS = 10, 6.0  # failures allowed at once, then one per 6 s
REMEMBERED = 10_000  # accounts in memory
ROWS, CELLS = 2, 65_536  # of counted failures: 2 MB
LONGEST_ACCOUNT, LONGEST_PASSWORD = 200, 1_000

logger = logging.getLogger("billing.ingest")


class Credential(msgspec.Struct, frozen=True):
    """A device account with its argon2id hash."""

    device_id: str
    password_hash: str


class Throttled(Exception):  # noqa: N818 -- a response to the sender, not an error of ours
    """Too many failures; the sender may try again after `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def credentials_of(header: str) -> tuple[str, str] | None:
    """Return account and password of an `Authorization` header; None if it is not Basic."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        account, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:  # no base64, no UTF-8, not ASCII
        return None
    return account, password


class Failures:
    """A leaky bucket of failures for each key (an account or a network), in bounded memory.

    A key has a cell in each of two rows, found by a keyed hash, and its level is the lower one of
    the two. No key is ever removed for another: a flood of IP addresses frees no guesser.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._levels = array("d", bytes(8 * ROWS * CELLS))
        self._times = array("d", bytes(8 * ROWS * CELLS))

    def wait(self, key: str) -> int:
        """Return the seconds until the next try is allowed; 0 if it is now."""
        over = min(map(self._level, self._cells(key))) - BURST + 1
        return max(0, ceil(round(over * REFILL_SECONDS, 3)))

    def add(self, key: str) -> None:
        """Count a try, before it is known whether it fails."""
        for cell in self._cells(key):
            self._levels[cell], self._times[cell] = self._level(cell) + 1, self._clock()

    def give_back(self, key: str) -> None:
        """Uncount a try that succeeded."""
        for cell in self._cells(key):
            self._levels[cell] = max(0.0, self._levels[cell] - 1)

    def _cells(self, key: str) -> tuple[int, int]:
        digest = hashlib.blake2b(key.encode(), digest_size=8, key=self._key).digest()
        first, second = (int.from_bytes(half) % CELLS for half in (digest[:4], digest[4:]))
        return first, CELLS + second

    def _level(self, cell: int) -> float:
        return max(0.0, self._levels[cell] - (self._clock() - self._times[cell]) / REFILL_SECONDS)


class Doorkeeper:
    """Checks credentials; argon2 runs once per password, in a thread, at most two at a time."""

    LOOK_UP = """
    select device_id, password_hash from device_credentials
    where account = %s and (valid_until is null or valid_until > now())"""

    def __init__(
        self,
        pool: psycopg_pool.AsyncConnectionPool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._failures = Failures(clock)
        self._credentials: dict[str, tuple[float, Credential | None]] = {}
        self._verified: set[tuple[str, bytes]] = set()
        self._key = secrets.token_bytes(32)
        self._hashing = asyncio.Semaphore(2)

    async def admit(self, account: str, password: str, ip: str) -> str | None:
        """Return the device of these credentials; None if they are wrong. Raises Throttled."""
        credential = await self._look_up(account)
        tag = hmac.digest(self._key, f"{account}\0{password}".encode(), hashlib.sha256)
        if credential and (credential.password_hash, tag) in self._verified:
            return credential.device_id  # a verified device is never throttled
        keys = (f"account:{account}", f"network:{network_of(ip)}")
        async with self._hashing:
            if credential and (credential.password_hash, tag) in self._verified:
                return credential.device_id  # verified by a concurrent request
            # Checked only with a slot for the hash, so parallel attempts are all counted.
            if wait := max(map(self._failures.wait, keys)):
                raise Throttled(wait)
            for key in keys:
                self._failures.add(key)
            known = credential.password_hash if credential else await asyncio.to_thread(nobody)
            right = await asyncio.to_thread(verify_password, known, password[:LONGEST_PASSWORD])
        if credential and right:
            for key in keys:
                self._failures.give_back(key)
            if len(self._verified) >= REMEMBERED:
                self._verified.clear()
            self._verified.add((credential.password_hash, tag))
            return credential.device_id
        logger.warning("submission refused: wrong credentials for %r from %s", account, ip)
        return None

    async def _look_up(self, account: str) -> Credential | None:
        if not account.isprintable() or len(account) > LONGEST_ACCOUNT:
            return None
        read_at, credential = self._credentials.get(account, (0.0, None))
        if time.monotonic() - read_at < FRESH_SECONDS:
            return credential
        async with self._pool.connection() as connection:
            cursor = await connection.execute(self.LOOK_UP, (account,))
            row = await cursor.fetchone()
        credential = Credential(*row) if row else None
        if len(self._credentials) >= REMEMBERED:
            self._credentials.clear()
        self._credentials[account] = time.monotonic(), credential
        return credential

"""Authentication of devices by HTTP Basic; slows down guessing."""

import asyncio
import base64
import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Callable

import msgspec
import psycopg_pool

from billing.credentials.passwords import nobody, verify_password

FRESH_SECONDS = 1.0  # how long a credential is cached
BURST, REFILL_SECONDS = 10, 6.0  # failures allowed at once, then one per 6 s
REMEMBERED = 10_000  # accounts and IP addresses in memory

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
    """A leaky bucket of failures for each key (an account or an IP address)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._levels: dict[str, tuple[float, float]] = {}

    def add(self, key: str) -> None:
        """Count a failure."""
        if len(self._levels) >= REMEMBERED:
            self._levels.pop(next(iter(self._levels)))
        self._levels[key] = self._level(key) + 1, self._clock()

    def wait(self, key: str) -> int:
        """Return the seconds until the next try is allowed; 0 if it is now."""
        over = self._level(key) - BURST + 1
        return max(0, round(over * REFILL_SECONDS))

    def _level(self, key: str) -> float:
        level, since = self._levels.get(key, (0.0, 0.0))
        return max(0.0, level - (self._clock() - since) / REFILL_SECONDS)


class Doorkeeper:
    """Checks credentials; argon2 runs once per password, in a thread, at most two at a time."""

    LOOK_UP = """
    select device_id, password_hash from device_credentials
    where account = %s and (valid_until is null or valid_until > now())"""

    def __init__(self, pool: psycopg_pool.AsyncConnectionPool) -> None:
        self._pool = pool
        self._failures = Failures()
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
        wait = max(self._failures.wait(account), self._failures.wait(ip))
        if wait:
            raise Throttled(wait)
        async with self._hashing:
            if credential and (credential.password_hash, tag) in self._verified:
                return credential.device_id  # verified by a concurrent request
            known = credential.password_hash if credential else await asyncio.to_thread(nobody)
            right = await asyncio.to_thread(verify_password, known, password)
        if credential and right:
            if len(self._verified) >= REMEMBERED:
                self._verified.clear()
            self._verified.add((credential.password_hash, tag))
            return credential.device_id
        self._failures.add(account)
        self._failures.add(ip)
        logger.warning("submission refused: wrong credentials for %r from %s", account, ip)
        return None

    async def _look_up(self, account: str) -> Credential | None:
        if not account.isprintable():
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

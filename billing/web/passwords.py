"""Checks and makes password hashes: argon2 in a thread, two at once."""

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

LONGEST = 1000
AT_ONCE = 2  # each takes 64 MiB for about a tenth of a second


class Passwords:
    """The only place where a password is looked at."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._slots = asyncio.Semaphore(AT_ONCE)
        # Verified where the name is unknown, so that the time taken does not tell.
        self._nobody = self._hasher.hash(secrets.token_hex())

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether it is the password; always the same work."""
        async with self._slots:
            fits = await asyncio.to_thread(self._fits, password_hash or self._nobody, password)
        return fits and password_hash is not None

    async def hash(self, password: str) -> str:
        """What is kept of a password."""
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password)

    def _fits(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password[:LONGEST])
        except (Argon2Error, InvalidHashError):
            return False

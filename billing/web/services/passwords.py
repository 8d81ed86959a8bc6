"""Verify and hash passwords in a thread, two at once, so that pages are not delayed."""

import asyncio

from billing.credentials.passwords import hash_password, nobody, verify_password

LONGEST = 1000
MOST_HASHES = 2  # at a time: each takes 64 MiB for about a tenth of a second


class Passwords:
    """The only place where the pages handle passwords."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(MOST_HASHES)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Return whether the password is right; takes the same work without a hash."""
        known = password_hash
        if known is None:
            known = await asyncio.to_thread(nobody)
        async with self._slots:
            fits = await asyncio.to_thread(verify_password, known, password[:LONGEST])
        return fits and password_hash is not None

    async def hash(self, password: str) -> str:
        """Return the hash to store for a password."""
        async with self._slots:
            return await asyncio.to_thread(hash_password, password)

"""Passwords: made, hashed with argon2id, verified. They never reach an event or a log."""

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher()  # RFC 9106's second recommendation: 64 MiB, 3 passes, 4 lanes


@cache
def nobody() -> str:
    """Verified when a name is unknown, so that the answer takes as long as for a known one."""
    return _hasher.hash(generate_password())


def generate_password() -> str:
    """A password to be shown once: 144 random bits."""
    return secrets.token_urlsafe(18)


def hash_password(password: str) -> str:
    """The argon2id hash to store. Takes about 0.1 s: never on an event loop."""
    return _hasher.hash(password)


def verify_password(password_hash: str, password: str) -> bool:
    """Whether `password` is the hashed one. Takes about 0.1 s: never on an event loop."""
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False

"""Passwords: generate, hash with argon2id, verify. They never reach an event or a log."""

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher()  # RFC 9106's second recommendation: 64 MiB, 3 passes, 4 lanes


@cache
def nobody() -> str:
    """Return the hash to verify when a name is unknown, so that both answers take equally long."""
    return _hasher.hash(generate_password())


def generate_password() -> str:
    """Return a new password to be shown once: 144 random bits."""
    return secrets.token_urlsafe(18)


def hash_password(password: str) -> str:
    """Return the argon2id hash to store. Takes about 0.1 s: never call it on an event loop."""
    return _hasher.hash(password)


def verify_password(password_hash: str, password: str) -> bool:
    """Whether `password` has this hash. Takes about 0.1 s: never call it on an event loop."""
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False

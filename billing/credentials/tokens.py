"""Tokens of sessions and of the API: random, shown once; only their hashes are stored."""

import hashlib
import secrets


def new_token() -> str:
    """Return a new token: 256 random bits, safe in a cookie or a URL."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> bytes:
    """Return the stored hash of a token: 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).digest()

"""Tokens of sessions and of the API: random, shown once; only their hashes are kept."""

import hashlib
import secrets


def new_token() -> str:
    """256 random bits, as they can stand in a cookie or a URL."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> bytes:
    """What is kept of a token: random as it is, it needs no slow hash."""
    return hashlib.sha256(token.encode()).digest()

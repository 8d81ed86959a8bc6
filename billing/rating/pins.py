"""How a PIN is known without being kept: by its HMAC under a key that is not in the log."""

import hashlib
import hmac

PREFIX = "pin:"
LENGTH = 32  # hexadecimal digits


def pin_digest(key: bytes, pin: str) -> str:
    """What stands for a PIN in events and in the records that carried it."""
    return PREFIX + hmac.new(key, pin.encode(), hashlib.sha256).hexdigest()[:LENGTH]

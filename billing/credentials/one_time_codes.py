"""Codes of the second step of signing in: those of an app, and those kept on paper."""

import hashlib
import hmac
import secrets
from datetime import datetime

import pyotp

ISSUER = "Contarifa"
STEP_SECONDS = 30
DRIFT_STEPS = 1  # how far a phone's clock may be off, either way
DIGITS = 6
RECOVERY_CODES = 10
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # none looks like another
GROUPS, GROUP = 4, 4


def new_secret() -> str:
    """A secret to share with an app: 160 random bits in base32."""
    return pyotp.random_base32()


def enrolment_url(secret: str, name: str) -> str:
    """What the QR code says to an app."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """The time step that a code is of; None where it is of none that is near."""
    digits = "".join(code.split())
    if len(digits) != DIGITS or not digits.isascii():
        return None
    app, current = pyotp.TOTP(secret), int(now.timestamp()) // STEP_SECONDS
    for step in range(current - DRIFT_STEPS, current + DRIFT_STEPS + 1):
        if hmac.compare_digest(app.generate_otp(step), digits):
            return step
    return None


def new_recovery_codes() -> list[str]:
    """Codes to be kept on paper, each good once."""
    return [
        "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP)) for _ in range(GROUPS))
        for _ in range(RECOVERY_CODES)
    ]


def hash_recovery_code(code: str) -> bytes:
    """What is kept of one: with 79 random bits it needs no slow hash. Spaces don't matter."""
    bare = "".join(character for character in code.lower() if character.isalnum())
    return hashlib.sha256(bare.encode()).digest()

"""Codes for the second step of signing in: from an app, or recovery codes kept on paper."""

import hashlib
import hmac
import secrets
from datetime import datetime

import pyotp

ISSUER = "Contarifa"
STEP_SECONDS = 30
DRIFT_STEPS = 1  # tolerated drift of a phone's clock, either way
DIGITS = 6
RECOVERY_CODES = 10
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # no two characters look alike
GROUPS, GROUP = 4, 4


def new_secret() -> str:
    """Return a new secret to share with an app: 160 random bits in base32."""
    return pyotp.random_base32()


def enrolment_url(secret: str, name: str) -> str:
    """Return the otpauth URI that the QR code shows to an app."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """Return the time step that has this code, within the tolerated drift; None if none has."""
    digits = "".join(code.split())
    if len(digits) != DIGITS or not digits.isascii():
        return None
    app, current = pyotp.TOTP(secret), int(now.timestamp()) // STEP_SECONDS
    for step in range(current - DRIFT_STEPS, current + DRIFT_STEPS + 1):
        if hmac.compare_digest(app.generate_otp(step), digits):
            return step
    return None


def new_recovery_codes() -> list[str]:
    """Return new recovery codes to be kept on paper; each works once."""
    return [
        "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP)) for _ in range(GROUPS))
        for _ in range(RECOVERY_CODES)
    ]


def hash_recovery_code(code: str) -> bytes:
    """Return the stored hash, ignoring spaces and case: 79 random bits need no slow hash."""
    bare = "".join(character for character in code.lower() if character.isalnum())
    return hashlib.sha256(bare.encode()).digest()

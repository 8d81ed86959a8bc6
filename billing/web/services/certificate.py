"""The certificate that browsers see. TLS ends in a proxy, so we read it as browsers do."""

import asyncio
import contextlib
import logging
import socket
import ssl
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import msgspec
from cryptography import x509

EVERY = timedelta(hours=6)
AGAIN_AFTER = timedelta(minutes=10)  # a failed attempt
TIMEOUT_SECONDS = 10.0
WARN_BEFORE = timedelta(days=21)
HTTPS = 443

logger = logging.getLogger(__name__)


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """The certificate found at the public URL."""

    host: str
    expires_at: datetime | None = None  # None: it could not be read
    problem: str = ""  # why it could not be read, or why browsers reject it


class CertificateWatch:
    """Reads the certificate of a URL regularly; without a URL it does nothing."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.found: Certificate | None = None  # None until the first attempt
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to check."""
        if self.url:
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """End the task."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            self.found = await asyncio.to_thread(read_certificate, self.url)
            if self.found.problem:
                logger.warning("certificate of %s: %s", self.found.host, self.found.problem)
            wait = EVERY if self.found.expires_at else AGAIN_AFTER
            await asyncio.sleep(wait.total_seconds())


def read_certificate(url: str) -> Certificate:
    """Read the certificate at an https URL, also one that browsers would reject. Blocks."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or HTTPS
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE  # an expired one must be readable too; nothing is sent
    try:
        encoded = _shake_hands(host, port, unverified)
        expires_at = x509.load_der_x509_certificate(encoded).not_valid_after_utc
    except (OSError, ValueError) as error:
        return Certificate(host=host, problem=str(error) or type(error).__name__)
    problem = ""
    try:
        _shake_hands(host, port, ssl.create_default_context())
    except ssl.SSLCertVerificationError as error:
        problem = error.verify_message
    except OSError as error:
        problem = str(error) or type(error).__name__
    return Certificate(host=host, expires_at=expires_at, problem=problem)


def _shake_hands(host: str, port: int, context: ssl.SSLContext) -> bytes:
    """Return the certificate of the server."""
    with (
        socket.create_connection((host, port), TIMEOUT_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        return secured.getpeercert(binary_form=True) or b""


def expires_soon(certificate: Certificate) -> bool:
    """Return whether the certificate should be renewed now."""
    end = certificate.expires_at
    return end is not None and end - datetime.now(UTC) < WARN_BEFORE

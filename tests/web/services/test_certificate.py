"""The certificate that browsers see: read from a real TLS server, shown on the system page."""

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from billing.web.services.certificate import read_certificate
from tests.web.serving import SignIn, served

NOW = datetime.now(UTC).replace(microsecond=0)


def self_signed(folder: Path, end: datetime) -> Path:
    """Make a certificate for 127.0.0.1 with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "contarifa tests")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=400))
        .not_valid_after(end)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "certificate.pem"
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


@contextmanager
def tls_server(certificate: Path) -> Iterator[str]:
    """Run a server that completes handshakes with this certificate; yield its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = listener.accept()
                with contextlib.suppress(OSError), context.wrap_socket(plain, True) as secured:
                    secured.recv(1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


@pytest.mark.parametrize("days", [-3, 9, 90])
def test_its_end_is_read_whether_browsers_trust_it_or_not(tmp_path: Path, days: int) -> None:
    end = NOW + timedelta(days=days)
    with tls_server(self_signed(tmp_path, end)) as url:
        found = read_certificate(url)
    assert (found.host, found.expires_at) == ("127.0.0.1", end)
    assert found.problem in ("self-signed certificate", "self signed certificate")


def test_one_that_browsers_trust_has_no_problem_and_nobody_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = self_signed(tmp_path, NOW + timedelta(days=90))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with tls_server(path) as url:
        found = read_certificate(url)
        assert (found.problem, found.expires_at) == ("", NOW + timedelta(days=90))
        elsewhere = read_certificate(url.replace("127.0.0.1", "localhost"))
    assert elsewhere.expires_at
    assert "localhost" in elsewhere.problem
    nobody = read_certificate(url)
    assert nobody.expires_at is None
    assert "refused" in nobody.problem


def system_page(client: httpx.Client) -> str:
    """Return the system page once the certificate was checked."""
    for _ in range(200):
        text = client.get("/system").text
        if "being read" not in text:
            return text
        time.sleep(0.05)
    raise TimeoutError


@pytest.mark.usefixtures("site")
def test_the_system_page_and_the_metrics_tell_it(
    database_url: str, sign_in: SignIn, tmp_path: Path
) -> None:
    for days, said in ((9, "expires on"), (-3, "expired on")):
        end = NOW + timedelta(days=days)
        with (
            tls_server(self_signed(tmp_path, end)) as url,
            served(database_url, tmp_path, public_url=url) as address,
        ):
            text = system_page(sign_in(address))
            assert f"The certificate of 127.0.0.1 {said}" in text
            assert "Browsers do not trust" in text
            lines = httpx.get(f"{address}/metrics").text.splitlines()
            expected = f"contarifa_certificate_expiry_timestamp_seconds {end.timestamp()}"
            assert expected in lines


def test_who_serves_by_https_is_told_that_nobody_watches_the_certificate(
    site: str, database_url: str, sign_in: SignIn, tmp_path: Path
) -> None:
    assert "not monitored" in sign_in(site).get("/system").text
    lines = httpx.get(f"{site}/metrics").text.splitlines()
    assert "contarifa_certificate_expiry_timestamp_seconds 0" in lines
    client = sign_in(site)
    with served(database_url, tmp_path, cookie_secure=True) as address:
        token = next(value for value in client.cookies.values() if len(value) > 10)
        cookies = {"__Host-session": token, "language": "en"}
        text = httpx.get(f"{address}/system", cookies=cookies).text
    assert "Set BILLING_PUBLIC_URL." in text
    assert "BILLING_COOKIE_SECURE=yes" not in text

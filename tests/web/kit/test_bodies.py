"""No route reads more than it needs, and none reads anything of whom it does not know."""

import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from sanic import Sanic

from billing.config import Config
from billing.database import Database
from billing.web.app import create_app
from billing.web.kit.access import ANYONE, SAFE
from billing.web.kit.bodies import FORM, LIST, MOST_PARTS, SHEETS, Takes
from tests.web.kit.test_access import csrf_of
from tests.web.serving import SignIn

IMPORT = "/movements/import"
MULTIPART = {"content-type": "multipart/form-data; boundary=xx"}
MEGABYTES = 25_000_000


def routes() -> list[tuple[str, str, Takes, bool]]:
    """Method, path, what it takes, whether it admits anyone: of every route that takes a body."""
    app = create_app(Config(), Database(""))
    app.router.finalize()
    found = [
        (
            method,
            "/" + re.sub(r"<[^>]*>", "x", route.path),
            route.handler.takes,
            ANYONE in route.handler.admits,
        )
        for route in app.router.routes
        for method in route.methods
        if method not in SAFE
    ]
    Sanic.unregister_app(app)
    return found


def begin(address: str, method: str, path: str, **headers: str) -> socket.socket:
    """Send the head of a request."""
    parts = urlsplit(address)
    opened = socket.create_connection((parts.hostname, parts.port), 20)
    head = [f"{method} {path} HTTP/1.1", f"host: {parts.netloc}", f"origin: {address}"]
    head += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    opened.sendall("\r\n".join([*head, "", ""]).encode())
    return opened


def status(opened: socket.socket) -> int:
    """The status of the answer; the connection is closed then."""
    with opened:
        return int(opened.recv(65_536).split()[1])


def shown(client: httpx.Client) -> dict[str, str]:
    """The headers of a signed-in browser."""
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    return {"cookie": cookies, "x_csrf_token": csrf_of(client)}


def until(true: Callable[[], bool]) -> None:
    """Wait until something is true."""
    for _ in range(1_000):
        if true():
            return
        time.sleep(0.02)
    raise TimeoutError


def test_only_uploads_and_long_lists_take_more_than_a_form() -> None:
    more = {path: takes for _, path, takes, _ in routes() if takes != FORM}
    assert more == {
        "/administrators/new": LIST,
        "/administrators/x": LIST,
        "/devices/x/extensions/import": SHEETS,
        "/gateway-accounts/import": SHEETS,
        "/movements/import": SHEETS,
        "/number-plan/import": SHEETS,
        "/rate-groups/x/import": SHEETS,
        "/user-accounts/import": SHEETS,
    }
    assert not [path for _, path, _, anyone in routes() if anyone and path in more]


def test_every_route_refuses_what_is_too_large_before_it_reads_it(
    empty_site: str, sign_in: SignIn
) -> None:
    marta = shown(sign_in(empty_site))
    for method, path, takes, anyone in routes():
        told = {"content_length": str(takes.most_bytes + 1), **MULTIPART}
        assert status(begin(empty_site, method, path, **told, **marta)) == 413, path
        told = {"content_length": str(MEGABYTES)}
        assert status(begin(empty_site, method, path, **told)) == (413 if anyone else 401), path


def test_a_large_form_to_sign_in_is_refused_and_pages_answer_meanwhile(empty_site: str) -> None:
    form = {"content_type": "application/x-www-form-urlencoded"}
    with (
        begin(empty_site, "POST", "/sign-in", content_length="30000", **form) as trickling,
        begin(empty_site, "POST", "/sign-in", transfer_encoding="chunked", **form) as chunked,
    ):
        trickling.sendall(b"name=")
        chunked.sendall(b"7530\r\n" + b"a=1&" * 7_500 + b"\r\n")
        assert httpx.get(f"{empty_site}/sign-in").status_code == 200
        chunked.sendall(b"7530\r\n" + b"a=1&" * 7_500 + b"\r\n")
        assert status(chunked) == 413
        assert httpx.get(f"{empty_site}/sign-in").status_code == 200
    answer = httpx.post(
        f"{empty_site}/sign-in",
        data={"name": "a" * MEGABYTES, "password": "x"},
        headers={"origin": empty_site, "accept-language": "en"},
    )
    assert answer.status_code == 413
    assert "This is too large" in answer.text


def test_an_upload_lies_on_disk_while_it_arrives_and_no_longer(
    empty_site: str, sign_in: SignIn, tmp_path: Path
) -> None:
    client = sign_in(empty_site)
    marta, csrf = shown(client), csrf_of(client)
    del marta["x_csrf_token"]  # a form without scripts has it as a field
    part = '--xx\r\ncontent-disposition: form-data; name="{}"{}\r\n\r\n'
    head = part.format("csrf", "") + csrf + "\r\n"
    head += part.format("file", '; filename="ñ.csv"') + "a;b\r\n"
    rows, tail = b"1;2\r\n" * 100_000, b"--xx--\r\n"
    told = {"content_length": str(len(head.encode()) + len(rows) + len(tail)), **MULTIPART}
    folder = tmp_path / "uploads"
    with begin(empty_site, "POST", IMPORT, **told, **marta) as opened:
        opened.sendall(head.encode() + rows[:300_000])
        until(lambda: sum(path.stat().st_size for path in folder.rglob("*/*")) > 200_000)
        assert folder.stat().st_mode & 0o777 == 0o700
        opened.sendall(rows[300_000:] + tail)
        assert status(opened) == 422
    until(lambda: not list(folder.iterdir()))


def test_of_whom_it_does_not_know_nothing_reaches_the_disk(empty_site: str, tmp_path: Path) -> None:
    file = {"file": ("a.csv", b"a;b\n" * 1_000)}
    answer = httpx.post(empty_site + IMPORT, files=file, headers={"origin": empty_site})
    assert answer.status_code == 401
    assert not (tmp_path / "uploads").exists()


def field(name: str, value: str) -> bytes:
    return f'--xx\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


@pytest.mark.parametrize(
    ("kind", "body", "wanted"),
    [
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=", b"x", 400),
        ("multipart/form-data; boundary=xx", b"", 400),
        ("multipart/form-data; boundary=xx", field("a", "b"), 400),
        ("multipart/form-data; boundary=xx", b"--xx\r\nnonsense\r\n\r\nx\r\n--xx--", 400),
        (
            "multipart/form-data; boundary=xx",
            field("a", "b").replace(b"b\r\n", b"\xff\r\n") + b"--xx--\r\n",
            400,
        ),
        ("multipart/form-data; boundary=xx", field("a", "b") * (MOST_PARTS + 1), 400),
        ("multipart/form-data; boundary=xx", field("a", "b" * 40_000) + b"--xx--\r\n", 413),
        ("multipart/form-data; boundary=xx", field("a", "b") + b"--xx--\r\n", 422),
        ("application/x-www-form-urlencoded", b"a=%ff", 422),
        ("application/x-www-form-urlencoded", b"a=\xff", 400),
        ("text/plain", b"anything", 422),
        ("", b"anything", 422),
    ],
)
def test_a_form_that_is_none_is_refused_in_words(
    signed_in: httpx.Client, kind: str, body: bytes, wanted: int
) -> None:
    answer = signed_in.post(IMPORT, content=body, headers={"content-type": kind})
    assert answer.status_code == wanted, answer.text


@pytest.fixture
def signed_in(empty_site: str, sign_in: SignIn) -> httpx.Client:
    client = sign_in(empty_site)
    client.headers["x-csrf-token"] = csrf_of(client)
    return client

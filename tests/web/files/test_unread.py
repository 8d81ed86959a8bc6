"""Files hold nothing while they wait for their reader: real sockets that are never read."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from billing.database.limits import BACKGROUND
from billing.web.services.export_jobs import MOST_KEPT
from tests.web.serving import SignIn, add_administrator, add_token, install, served

BUSY = f"""
select application_name, state, query from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
  and (application_name = '{BACKGROUND}' or state like 'idle in transaction%')"""
# Few rows that are much longer than what the sockets of both sides take before they wait.
LONG = "update call_list set area = repeat('x', 40000)"
LEAST_BYTES = 180 * 40_000


def open_unread(address: str, path: str, headers: dict[str, str]) -> socket.socket:
    """Ask for a file and read no more of it than its status."""
    host, port = address.removeprefix("http://").split(":")
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    opened.settimeout(60)
    opened.connect((host, int(port)))
    lines = [f"GET {path} HTTP/1.1", f"host: {host}:{port}", "connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    opened.sendall("\r\n".join([*lines, "", ""]).encode())
    begin = opened.recv(15)
    assert begin == b"HTTP/1.1 200 OK", begin
    return opened


@pytest.fixture
def long_site(database_url: str, tmp_path: Path) -> Iterator[str]:
    """An installation whose lists of calls are large files."""
    install(database_url)
    add_administrator(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(LONG)
    with served(database_url, tmp_path) as address:
        yield address


def test_nine_and_thirty_unread_downloads_hold_up_no_page(
    database_url: str, long_site: str, sign_in: SignIn, tmp_path: Path
) -> None:
    client, exports = sign_in(long_site), tmp_path / "exports"
    cookie = {"cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}
    token = {"authorization": f"Bearer {add_token(database_url, 'calls')}"}
    with ExitStack() as unread, psycopg.connect(database_url, autocommit=True) as connection:
        for count, headers in ((9, cookie), (21, token)):
            for _ in range(count):
                unread.enter_context(open_unread(long_site, "/calls/export.csv", headers))
            for path in ("/", "/calls", "/companies", "/statistics", "/exports"):
                assert client.get(path).status_code == 200, (count, path)
            assert connection.execute(BUSY).fetchall() == []
        assert 0 < len(list(exports.glob("*/*"))) <= MOST_KEPT, "files are all that they hold"
        last = unread.enter_context(open_unread(long_site, "/calls/export.csv", token))
        read = 0
        while chunk := last.recv(1 << 20):
            read += len(chunk)
        assert read > LEAST_BYTES, "who reads gets all of it"
    for _ in range(200):
        if not list(exports.glob("*/*")):
            break
        time.sleep(0.05)
    assert list(exports.glob("*/*")) == [], "who went away leaves nothing"

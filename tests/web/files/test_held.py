"""Every route that sends a file: no connection of the database is held while it is sent."""

import asyncio
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from sanic import Request, Sanic
from sanic.response import BaseHTTPResponse

from tests.web.accounts.test_accounts import close_november
from tests.web.files.test_every_export import prepare
from tests.web.files.test_unread import BUSY
from tests.web.serving import SignIn, add_administrator, install, served

SENDS = ("deliver(", "send_list(", "send_file(", "send_job(", "attachment(")
CLINIC = "/accounts/company:clinica"
FILE_OF_JOB = re.compile(r"/exports/[^/\"]+/file")
LISTS = (
    "/calls",
    "/companies",
    "/devices",
    "/devices/clinica-pbx/extensions",
    "/devices/clinica-pbx/prefixes",
    "/devices/clinica-pbx/submissions",
    "/route-prefixes",
    "/user-accounts",
    "/gateway-accounts",
    "/movements",
    f"{CLINIC}/statements",
    "/rate-groups",
    "/number-plan",
    "/suspended",
    "/corrections",
    "/corrections/again",
    "/operations",
    "/sign-ins",
    "/administrators",
    "/keeping",
    "/backups",
)
FILES = (
    "/statistics/export.xlsx",
    *(f"/statistics/{name}.csv" for name in ("accounts", "periods", "destinations", "hours")),
    "/rate-groups/compare/export.csv?one=standard&other=other",
    "/rate-groups/compare/export.xlsx?one=standard&other=other",
    "/rate-groups/standard/history/export.csv?target=p:34",
    "/rate-groups/standard/history/export.xlsx?target=p:34",
    f"{CLINIC}/evidence.ndjson",
    f"{CLINIC}/evidence.xlsx",
    "/rate-groups/standard/export/csv",
    "/rate-groups/standard/export/xlsx",
    "/keeping/files/a.cda",
    "/backups/b.cbk",
)


class Held:
    """Notes what is held of the database whenever bytes are sent, and which routes sent files."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self.found: list[Any] = []
        self.sent = set[str]()

    def watch(self, app: Sanic[Any, Any]) -> None:
        """Look at every byte that this application sends."""

        async def look(**_: Any) -> None:
            if held := await self._held(app):
                self.found.append(held)

        async def note(request: Request[Any, Any], response: BaseHTTPResponse) -> None:
            if "content-disposition" in response.headers and request.route:
                self.sent.add(request.route.path)

        app.add_signal(look, "http.lifecycle.send")
        app.on_response(note)  # type: ignore[no-untyped-call]
        self.app = app

    def routes_of_files(self) -> set[str]:
        """The routes whose handlers send a file."""
        return {
            route.path
            for route in self.app.router.routes
            if any(each in inspect.getsource(inspect.unwrap(route.handler)) for each in SENDS)
        }

    async def _held(self, app: Sanic[Any, Any]) -> Any:
        """What is held, and still is after a second: the pool may just be opening another."""
        for _ in range(50):
            stats = app.ctx.site.pool.get_stats()
            with psycopg.connect(self._database_url, autocommit=True) as connection:
                busy = connection.execute(BUSY).fetchall()
            if stats["pool_size"] == stats["pool_available"] and not busy:
                return None
            await asyncio.sleep(0.02)
        return stats, busy


@pytest.fixture
def held(database_url: str) -> Held:
    return Held(database_url)


@pytest.fixture
def address(held: Held, database_url: str, tmp_path: Path) -> Iterator[str]:
    """A site with something in every list, and files of keeping."""
    install(database_url)
    close_november(database_url)
    prepare(database_url)
    add_administrator(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "insert into archives values ('2026-09', 1, 'a.cda', 'ab', 9, 1, 1, 1, 1, '{}', now(),"
            " false, false)"
        )
    for name in ("archives/a.cda", "backups/b.cbk"):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_bytes(b"archived")
    with served(database_url, tmp_path, held.watch) as address:
        yield address


def test_no_route_that_sends_a_file_holds_a_connection(
    held: Held, address: str, sign_in: SignIn
) -> None:
    client = sign_in(address)
    months = re.findall(r"statements/(\d{4}-\d\d)", client.get(f"{CLINIC}/statements").text)
    closed = [month for month in months if month != "2026-10"]  # which is of the lists alone
    statement = f"{CLINIC}/statements/{closed[-1]}"
    paths = [f"{path}/export.{kind}" for path in LISTS for kind in ("csv", "xlsx")]
    paths += [*FILES, *(f"{statement}/{name}" for name in ("statement.pdf", "statement.xlsx"))]
    for path in [*paths, f"{statement}/calls.csv"]:
        take(client, path)
    take(client, FILE_OF_JOB.findall(client.get("/exports").text)[0])
    assert held.found == []
    assert held.routes_of_files() - held.sent == set()


def take(client: httpx.Client, path: str) -> None:
    """Take a file, and be sure that it is one."""
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.text[:300])
    assert "attachment" in answer.headers["content-disposition"], path
    assert answer.content, path

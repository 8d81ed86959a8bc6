"""Served applications for the tests of pages."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from psycopg.conninfo import conninfo_to_dict

from billing.web.files import delivery
from billing.web.kit.access import EVERY_ROLE
from tests.conftest import fresh_database
from tests.trust import TRUST
from tests.web.foreign import OWN, Site, install_foreign
from tests.web.serving import PASSWORD, SignIn, add_administrator, install, served


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send files at once, however slow the machine is; a test of waiting sets 0."""
    monkeypatch.setattr(delivery, "PATIENCE_SECONDS", 60.0)


@pytest.fixture(scope="module")
def installation(server_url: str, template: str) -> Iterator[str]:
    """The name of a database with calls, and an administrator called marta: to be cloned.

    Made once for each file: its calls are of the last hours.
    """
    with fresh_database(server_url, template) as url:
        install(url)
        add_administrator(url)
        yield str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def database_url(request: pytest.FixtureRequest, server_url: str, template: str) -> Iterator[str]:
    """A database of the test's own, cloned from the installation if a fixture asks for that."""
    if "installation" in request.fixturenames:
        template = request.getfixturevalue("installation")
    with fresh_database(server_url, template) as url:
        yield url


@pytest.fixture
def site(installation: str, database_url: str, tmp_path: Path) -> Iterator[str]:
    """An installation with calls, and an administrator called marta; its URL."""
    with served(database_url, tmp_path) as address:
        yield address


@pytest.fixture(scope="module")
def shared_site(
    server_url: str, installation: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The same, served once for all tests of a file that change nothing."""
    folder = tmp_path_factory.mktemp("shared")
    with fresh_database(server_url, installation) as url, served(url, folder) as address:
        yield address


@pytest.fixture
def empty_site(database_url: str, tmp_path: Path) -> Iterator[str]:
    """An installation with only the administrator marta."""
    add_administrator(database_url)
    with served(database_url, tmp_path) as address:
        yield address


@pytest.fixture
def sign_in() -> Iterator[SignIn]:
    """Return a function that opens a client and signs in at a URL under a name."""
    clients: list[httpx.Client] = []

    def open_client(address: str, name: str = "marta") -> httpx.Client:
        client = httpx.Client(
            base_url=address,
            headers={"origin": address, "accept-language": "en"},
            timeout=20,
            verify=TRUST,
        )
        clients.append(client)
        answer = client.post("/sign-in", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return client

    yield open_client
    for client in clients:
        client.close()


@pytest.fixture
def limited(database_url: str, tmp_path: Path) -> Iterator[Site]:
    """Marta without a limit, and one administrator of each role, limited to two companies."""
    own = install(database_url)[0].removeprefix("call:")
    calls = install_foreign(database_url)
    add_administrator(database_url)
    for role in EVERY_ROLE:
        add_administrator(database_url, role, role, companies=OWN)
    with served(database_url, tmp_path) as address:
        yield Site(database_url, address, own, calls)


@pytest.fixture
def limited_client(limited: Site, sign_in: SignIn, role: str) -> httpx.Client:
    """Return a signed-in client of a limited role; it sends the session's token automatically."""
    opened = sign_in(limited.address, role)
    token = re.search(r'"X-CSRF-Token":"([^"]+)"', opened.get("/companies").text)
    assert token
    opened.headers["x-csrf-token"] = token[1]
    return opened

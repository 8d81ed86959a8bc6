"""Administrators on pages: added, edited, disabled, sessions ended; the last one is protected."""

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.web.kit.test_access import csrf_of
from tests.web.serving import SignIn, following


@pytest.fixture
def client(database_url: str, empty_site: str, sign_in: SignIn) -> Iterator[httpx.Client]:
    """A client of marta, who has no event: only those added on pages are in the log."""
    opened = sign_in(empty_site)
    with following(database_url):
        yield opened


def post(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    return client.post(path, data={"csrf": csrf_of(client), **fields})


def add(client: httpx.Client) -> tuple[str, str]:
    """Add Nuria; return the URL of her page and her password."""
    form = {"sign_in_name": "Nuria", "name": "Nuria Gil", "role": "operator", "language": "es"}
    form["reach"] = "all"
    answer = post(client, "/administrators/new", **form)
    assert answer.status_code == 200, answer.text
    found = re.search(r'id="password">([^<]+)<', answer.text)
    place = re.search(r'(/administrators/[^"]+)"><b>nuria<', client.get("/administrators").text)
    assert found
    assert place
    return place[1], found[1]


def test_somebody_added_signs_in_with_the_password_shown_once(
    client: httpx.Client, empty_site: str
) -> None:
    own, password = add(client)
    assert password not in client.get(own).text
    form = {"name": "nuria", "password": password}
    nuria = httpx.post(f"{empty_site}/sign-in", data=form, headers={"origin": empty_site})
    assert nuria.status_code == 303
    cookie = {"cookie": f"session={nuria.cookies['session']}"}
    calls = httpx.get(f"{empty_site}/calls", headers=cookie)
    assert calls.headers["location"] == "/password"
    shown = client.get(own).text
    session = re.search(r'name="session" value="([^"]+)"', shown)
    assert session
    assert post(client, f"{own}/sessions", session=session[1]).status_code == 303
    gone = httpx.get(f"{empty_site}/calls", headers=cookie)
    assert gone.headers["location"].startswith("/sign-in")


def test_a_disabled_administrator_may_not_sign_in_and_a_new_password_replaces_the_old(
    client: httpx.Client, empty_site: str
) -> None:
    own, old = add(client)
    answer = post(client, f"{own}/password")
    assert old not in answer.text
    new = re.search(r'id="password">([^<]+)<', answer.text)
    assert new
    attempts = [("nuria", old, 422), ("nuria", new[1], 303)]
    for name, password, status in attempts:
        form = {"name": name, "password": password}
        headers = {"origin": empty_site}
        assert httpx.post(f"{empty_site}/sign-in", data=form, headers=headers).status_code == status
    assert post(client, f"{own}/enabled", enabled="no").status_code == 303
    form = {"name": "nuria", "password": new[1]}
    headers = {"origin": empty_site}
    assert httpx.post(f"{empty_site}/sign-in", data=form, headers=headers).status_code == 422


def test_the_last_administrator_can_be_neither_demoted_nor_disabled(client: httpx.Client) -> None:
    own, _ = add(client)
    form = {"name": "Nuria Gil", "language": "es", "reach": "all"}
    assert post(client, own, role="administrator", **form).status_code == 303
    answer = post(client, own, role="auditor", **form)
    assert answer.status_code == 422
    assert "The last administrator can&#39;t be given another role." in answer.text
    answer = post(client, f"{own}/enabled", enabled="no")
    assert answer.status_code == 400
    assert "The last administrator can&#39;t be disabled." in answer.text

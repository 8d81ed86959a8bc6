"""Every route defines whom it admits, and refuses everybody else."""

import re
from functools import cache
from pathlib import Path

import httpx
import psycopg
import pytest
from sanic import Sanic

from billing.config import Config
from billing.database import Database
from billing.web.app import CONTENT_SECURITY_POLICY, create_app
from billing.web.kit.access import ANYONE, EVERY_ROLE, local_path
from tests.trust import TRUST
from tests.web.serving import PASSWORD, SignIn, add_administrator, served


@cache
def routes() -> list[tuple[str, str, tuple[str, ...]]]:
    """Yield method, path (with sample parameters) and admitted roles of every route."""
    app = create_app(Config(), Database(""))
    app.router.finalize()
    found = [
        (method, "/" + re.sub(r"<[^>]*>", "x", route.path), route.handler.admits)
        for route in app.router.routes
        for method in route.methods
    ]
    Sanic.unregister_app(app)
    return found


def test_the_walk_finds_every_page() -> None:
    paths = {path for _, path, _ in routes()}
    assert paths >= {"/", "/calls", "/calls/x", "/calls/export.csv", "/companies", "/devices"}
    assert paths >= {"/sign-in", "/sign-out", "/password", "/preferences", "/live", "/healthz"}


def test_nobody_gets_in_without_a_session(site: str) -> None:
    for method, path, roles in routes():
        answer = httpx.request(
            method, site + path, headers={"origin": site}, timeout=60, verify=TRUST
        )
        if ANYONE in roles:
            assert answer.status_code in (200, 303, 404, 422), path
        elif path.startswith("/api/"):
            assert answer.status_code == 401, path
            assert answer.headers["content-type"] == "application/problem+json", path
        elif method == "GET":
            assert answer.status_code == 302, path
            assert answer.headers["location"].startswith("/sign-in"), path
        else:
            assert answer.status_code == 401, path


@pytest.mark.parametrize("role", EVERY_ROLE)
def test_each_role_gets_what_is_declared(
    role: str, database_url: str, empty_site: str, sign_in: SignIn
) -> None:
    add_administrator(database_url, "ana", role)
    client = sign_in(empty_site, "ana")
    for method, path, roles in routes():
        if method != "GET" or path == "/live":  # a stream without an end
            continue
        answer = client.get(path)
        admitted = ANYONE in roles or role in roles
        assert (answer.status_code != 403) == admitted, path
        assert answer.status_code < 500, path


def test_a_session_ends_when_its_administrator_is_disabled(
    database_url: str, empty_site: str, sign_in: SignIn
) -> None:
    client = sign_in(empty_site)
    assert client.get("/calls").status_code == 200
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update administrators set enabled = false")
    assert client.get("/calls").status_code == 302


def test_a_fragment_without_a_session_is_a_fragment(empty_site: str) -> None:
    answer = httpx.get(f"{empty_site}/calls", headers={"hx-request": "true"})
    assert answer.status_code == 401
    assert "<html" not in answer.text
    assert "/sign-in" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_a_form_from_elsewhere_is_refused(
    headers: dict[str, str], empty_site: str, sign_in: SignIn
) -> None:
    client = sign_in(empty_site)
    csrf = csrf_of(client)
    assert client.post("/sign-out", data={"csrf": csrf}, headers=headers).status_code == 403
    assert client.get("/calls").status_code == 200


def test_a_form_without_the_sessions_token_is_refused(empty_site: str, sign_in: SignIn) -> None:
    client = sign_in(empty_site)
    for csrf in ("", "guess", "ñ"):
        assert client.post("/sign-out", data={"csrf": csrf}).status_code == 403
    assert client.post("/sign-out", headers={"x-csrf-token": csrf_of(client)}).status_code == 303


def test_a_sign_in_from_elsewhere_is_refused(empty_site: str) -> None:
    form = {"name": "marta", "password": PASSWORD}
    headers = {"origin": "https://evil.example"}
    assert httpx.post(f"{empty_site}/sign-in", data=form, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/%0d%0a",
        "calls",
        "",
        None,
    ],
)
def test_no_redirect_leads_away(target: str | None) -> None:
    assert local_path(target) in ("/", "/%0d%0a")


def test_a_local_path_is_kept() -> None:
    assert local_path("/calls?q=1&class=local") == "/calls?q=1&class=local"


def test_signing_in_goes_back_to_where_one_was(empty_site: str) -> None:
    with httpx.Client(base_url=empty_site, headers={"origin": empty_site}) as client:
        asked = client.get("/calls?class=local&q=91")
        assert asked.headers["location"] == "/sign-in?next=%2Fcalls%3Fclass%3Dlocal%26q%3D91"
        form = {"name": "marta", "password": PASSWORD, "next": "/calls?class=local&q=91"}
        assert client.post("/sign-in", data=form).headers["location"] == form["next"]
        form["next"] = "//evil.example"
        assert client.post("/sign-in", data=form).headers["location"] == "/"


def test_every_answer_carries_the_policy(empty_site: str) -> None:
    for path in ("/sign-in", "/nothing", "/assets/app.js", "/healthz", "/calls"):
        answer = httpx.get(empty_site + path, timeout=60, verify=TRUST)
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY, path
        assert answer.headers["x-content-type-options"] == "nosniff", path


def test_behind_https_the_cookie_belongs_to_the_host(database_url: str, tmp_path: Path) -> None:
    add_administrator(database_url)
    with served(database_url, tmp_path, cookie_secure=True) as address:
        form = {"name": "marta", "password": PASSWORD}
        answer = httpx.post(f"{address}/sign-in", data=form, headers={"origin": address})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-session=")
    for word in ("Path=/", "HttpOnly", "Secure", "SameSite=Lax"):
        assert word in cookie
    assert "strict-transport-security" in answer.headers


def csrf_of(client: httpx.Client) -> str:
    """Return the form token of this session's pages."""
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/companies").text)
    assert found
    return found[1]

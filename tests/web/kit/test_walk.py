"""Every route with a token of every scope, with half a session, and before a forced change."""

import re
from functools import cache

import httpx
import psycopg
import pytest
from sanic import Sanic

from billing.aggregates.administrator import EVERY_ROLE
from billing.aggregates.api_token import SCOPES
from billing.config import Config
from billing.database import Database
from billing.web.app import create_app
from billing.web.kit.access import ANYONE
from tests.trust import TRUST
from tests.web.kit.test_access import csrf_of
from tests.web.serving import PASSWORD, SignIn, add_administrator, add_token


@cache
def walk() -> list[tuple[str, str, tuple[str, ...], str, tuple[bool, bool]]]:
    """Yield method, path, roles, scope of every route with sessions, and what it may precede."""
    app = create_app(Config(), Database(""))
    app.router.finalize()
    found = [
        (
            method,
            "/" + re.sub(r"<[^>]*>", "x", route.path),
            route.handler.admits,
            route.handler.scope,
            route.handler.before,
        )
        for route in app.router.routes
        for method in route.methods
        if ANYONE not in route.handler.admits
    ]
    Sanic.unregister_app(app)
    return found


def test_scopes_are_those_that_tokens_may_have() -> None:
    scoped = [(path, scope, roles) for _, path, roles, scope, _ in walk() if scope]
    assert {scope for _, scope, _ in scoped} | {"metrics"} == set(SCOPES)
    for path, scope, roles in scoped:
        assert set(roles) == set(SCOPES[scope]), path
    assert {path for path, _, _ in scoped} >= {
        "/api/v1/calls",
        "/api/v1/accounts/x/recharges",
        "/calls/export.csv",
        "/statistics/export.xlsx",
        "/movements/export.csv",
    }


@pytest.mark.parametrize("role", EVERY_ROLE)
@pytest.mark.parametrize("scope", [*SCOPES, ""])
def test_a_token_gets_what_its_scope_and_the_role_of_its_owner_admit(
    role: str, scope: str, database_url: str, empty_site: str
) -> None:
    add_administrator(database_url, "ana", role)
    token = add_token(database_url, *([scope] if scope else []), name="ana")
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=empty_site, headers=headers, timeout=60, verify=TRUST) as client:
        for method, path, roles, wanted, _ in walk():
            answer = client.request(method, path)
            if role in roles and scope and scope == wanted:
                assert answer.status_code not in (401, 403), (method, path)
                assert answer.status_code < 500, (method, path)
            else:
                assert answer.status_code == 403, (method, path)
                assert answer.headers["content-type"] == "application/problem+json"
        assert not client.cookies, "it opens no session"


@pytest.mark.parametrize("role", ["operator", "auditor"])
def test_no_role_changes_what_it_is_not_admitted_to(
    role: str, database_url: str, empty_site: str, sign_in: SignIn
) -> None:
    add_administrator(database_url, "ana", role)
    client = sign_in(empty_site, "ana")
    csrf = {"x-csrf-token": csrf_of(client)}
    for method, path, roles, _, _ in walk():
        if role not in roles:
            assert client.request(method, path, headers=csrf).status_code == 403, (method, path)


def test_a_half_session_opens_nothing(database_url: str, empty_site: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "insert into second_factors values ('marta', 'JBSWY3DPEHPK3PXP', now(), 0)"
        )
    with httpx.Client(
        base_url=empty_site, headers={"origin": empty_site}, timeout=60, verify=TRUST
    ) as client:
        form = {"name": "marta", "password": PASSWORD}
        assert client.post("/sign-in", data=form).headers["location"] == "/sign-in/code"
        assert client.get("/sign-in/code").status_code == 200
        client.cookies.set("session", client.cookies["half"])  # also under the other name
        for method, path, _, _, _ in walk():
            answer = client.request(method, path)
            if method == "GET" and not path.startswith("/api/"):
                assert answer.headers["location"].startswith("/sign-in"), path
            else:
                assert answer.status_code == 401, (method, path)


@pytest.mark.parametrize(
    ("done", "place"),
    [
        ("update administrator_credentials set must_change = true", "/password"),
        ("update administrators set must_use_two_factor = true", "/my-account/two-factor"),
    ],
)
def test_what_must_be_done_first_is_done_before_anything_else(
    done: str, place: str, database_url: str, empty_site: str, sign_in: SignIn
) -> None:
    client = sign_in(empty_site)
    csrf = {"x-csrf-token": csrf_of(client)}
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(done.encode())
    for method, path, _, _, (before_change, before_enrolment) in walk():
        if before_change or (before_enrolment and place != "/password"):
            continue
        answer = client.request(method, path, headers=csrf)
        assert (answer.status_code, answer.headers.get("location")) == (302, place), path
    assert client.get(place).status_code == 200

"""A limited administrator reaches the companies of the limit, and learns nothing of others."""

import re

import httpx
import pytest
from sanic import Sanic

from billing.config import Config
from billing.database import Database
from billing.web.app import create_app
from billing.web.kit.access import ANYONE, EVERY_ROLE
from tests.web import foreign
from tests.web.foreign import TOLD, Site, ask, foreign_events, text_of
from tests.web.serving import SignIn

Route = tuple[str, str, tuple[str, ...], bool]  # method, path, roles, whether limited ones too
STREAM = "/live"  # without an end
QUERIES: tuple[dict[str, str], ...] = (
    {},
    {"q": "foránea"},
    {"by": "user"},
    {"by": "gateway", "grain": "hour"},
)
OWN_PARTS = {
    "account": ("company:clinica", "user:clinica-front"),
    "device_id": ("clinica-pbx",),
    "month": ("2026-11",),
    "name": ("recharge", "bind", "edit", "lines", "limits"),
}


def routes() -> list[Route]:
    """Return every route that requires a session."""
    app = create_app(Config(), Database(""))
    app.router.finalize()
    found = [
        (method, "/" + route.path, route.handler.admits, route.handler.limited)
        for route in app.router.routes
        for method in route.methods
        if ANYONE not in route.handler.admits
    ]
    Sanic.unregister_app(app)
    return found


def fill(path: str, parts: dict[str, tuple[str, ...]]) -> list[str]:
    """Fill the parameters of a path with known ids; "x" for other parameters."""
    paths = [path]
    for name in re.findall(r"<(\w+)", path):
        values = parts.get(name, ("x",))
        paths = [
            re.sub(rf"<{name}[^>]*>", value.replace("/", "%2F").replace("\\", ""), each)
            for each in paths
            for value in values
        ]
    return paths


@pytest.mark.parametrize("role", EVERY_ROLE)
def test_what_is_beyond_is_not_there_whatever_names_it(
    role: str, limited: Site, limited_client: httpx.Client
) -> None:
    before = foreign_events(limited.database_url)
    asked = 0
    for method, path, roles, admitted in routes():
        expected = 404 if admitted and role in roles else 403
        beyond = list[tuple[str, dict[str, str]]]()
        if set(re.findall(r"<(\w+)", path)) & set(limited.parts):
            beyond = [(each, {}) for each in fill(path, limited.parts)]
        own = fill(path, {**OWN_PARTS, "quoted_id": (limited.own_call,)})
        for field, values in limited.fields.items():
            beyond += [(each, {field: value}) for each in own for value in values]
        for each, fields in beyond:
            answer = ask(limited_client, method, each, fields)
            asked += 1
            assert answer.status_code == expected, (method, each, fields)
            assert not TOLD.search(text_of(answer)), (each, fields)
    assert asked > 500
    assert foreign_events(limited.database_url) == before


@pytest.mark.parametrize("role", EVERY_ROLE)
def test_no_answer_tells_of_what_is_beyond(
    role: str, limited: Site, limited_client: httpx.Client
) -> None:
    own = {**OWN_PARTS, "quoted_id": (limited.own_call,)}
    shown = 0
    for method, path, roles, admitted in routes():
        if method != "GET" or path == STREAM or not (admitted and role in roles):
            continue
        for each in fill(path, own):
            for fields in QUERIES:
                answer = limited_client.get(each, params=fields, follow_redirects=True)
                assert answer.status_code in (200, 404), (each, fields)
                assert not TOLD.search(text_of(answer)), (each, fields)
                shown += answer.status_code == 200
    assert shown > 100


def test_the_walk_would_find_it(limited: Site, sign_in: SignIn) -> None:
    client = sign_in(limited.address)
    for path in ("/", "/calls", "/companies", "/devices", "/suspended", "/statistics"):
        assert TOLD.search(client.get(path).text), path
    for path in ("/calls/export.xlsx", "/statistics/export.xlsx", "/companies/export.csv"):
        assert TOLD.search(text_of(client.get(path))), path


def test_something_beyond_is_refused_like_something_that_is_not_there(
    limited: Site, sign_in: SignIn
) -> None:
    client = sign_in(limited.address, "operator")
    for beyond, nowhere in (
        (f"/accounts/{foreign.COMPANY}", "/accounts/company:nobody"),
        (f"/devices/{foreign.DEVICE}", "/devices/nobody"),
        ("/calls?company=ajena", "/calls?company=nobody"),
        (f"/corrections/{foreign.CORRECTION}", "/corrections/nobody"),
    ):
        answers = [client.get(path) for path in (beyond, nowhere)]
        assert [answer.status_code for answer in answers] == [404, 404]
        mains = [answer.text.partition("<main")[2].partition("</main>")[0] for answer in answers]
        assert mains[0] == mains[1] != ""

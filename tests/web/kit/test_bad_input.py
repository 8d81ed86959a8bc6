"""Invalid input is refused with a message, over HTTP, on every list; odd input is literal."""

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.web.calls.test_calls import all_rows
from tests.web.serving import SignIn

LISTS = (
    "/calls",
    "/companies",
    "/devices",
    "/devices/clinica-pbx/extensions",
    "/user-accounts",
    "/gateway-accounts",
    "/movements",
    "/rate-groups",
    "/number-plan",
    "/operations",
    "/sign-ins",
    "/administrators",
)
WITH_PERIODS = ("/calls", "/statistics", "/movements", "/operations", "/sign-ins")
ABSURD = (
    "from=0000-00-00",
    "from=0001-01-01",
    "from=9999-12-31",
    "to=1969-12-31",
    "from=2026-02-30",
    "from=2026-11-02&to=2026-11-01",
    "from=2000-01-01&to=2026-01-01",
    "from=yesterday",
    "from=" + "9" * 90,
)
KEYS: tuple[Any, ...] = (
    "",
    [],
    {},
    None,
    [None],
    [1, 2, 3, 4, 5, 6],
    ["\x00"],
    ["\x00", "\x00"],
    ["2026-11-01T00:00:00Z", "\x00"],
    ["2026-11-01T00:00:00", "without a zone"],
    ["0001-01-01T00:00:00Z", "x"],
    ["9999-12-31T23:59:59Z", "x"],
    [2**63 - 1],
    [2**63],
    [-(2**70)],
    [2**70, 2**70],
    ["2026-11-01T00:00:00Z", 2**70],
)
TOKENS = ("x", "%", "=" * 4, "A" * 9_000, "é", "\x00", "' or 1=1 --")
ODD = (".*", "%", "_", "\\", "[a-z]+", "(?:", "' or 1=1 --", "<script>", "{{ 7*7 }}")


def token(key: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


@pytest.mark.parametrize("path", LISTS)
def test_a_tampered_place_is_refused_or_leads_nowhere(
    path: str, shared_site: str, sign_in: SignIn
) -> None:
    client = sign_in(shared_site)
    for value in (*map(token, KEYS), *TOKENS):
        for name in ("after", "before"):
            answer = client.get(path, params={name: value})
            assert answer.status_code in (200, 400), (path, name, value)
            if answer.status_code == 400:
                assert "There is no page at this URL." in answer.text
            assert "Traceback" not in answer.text


def test_beyond_the_end_the_way_back_is_shown(shared_site: str, sign_in: SignIn) -> None:
    client = sign_in(shared_site)
    beyond = token(["1971-01-01T00:00:00Z", "x"])
    text = client.get(f"/calls?class=local&after={beyond}").text
    assert "There are no more rows" in text
    assert 'href="/calls?class=local"' in text
    before = token(["2999-01-01T00:00:00Z", "x"])
    assert "There are no more rows" in client.get(f"/calls?before={before}").text
    assert "There are no more rows" not in client.get("/calls?q=99999999").text


@pytest.mark.parametrize("path", WITH_PERIODS)
def test_an_absurd_period_is_refused_in_words(path: str, shared_site: str, sign_in: SignIn) -> None:
    client = sign_in(shared_site)
    for query in ABSURD:
        answer = client.get(f"{path}?{query}")
        assert answer.status_code == 400, (path, query)
        assert "This request could not be understood" in answer.text


@pytest.mark.parametrize("path", LISTS)
def test_a_search_of_10000_characters_is_refused_in_words(
    path: str, shared_site: str, sign_in: SignIn
) -> None:
    client = sign_in(shared_site)
    client.cookies.set("language", "es", domain="127.0.0.1")
    answer = client.get(f"{path}?q={'x' * 10_000}")
    assert answer.status_code == 400
    assert "El filtro q tiene más de 100 caracteres." in answer.text


@pytest.mark.parametrize("path", LISTS)
def test_text_that_looks_like_a_pattern_is_searched_as_it_stands(
    path: str, shared_site: str, sign_in: SignIn
) -> None:
    client = sign_in(shared_site)
    for odd in ODD:
        answer = client.get(f"{path}?q={quote(odd, safe='')}")
        assert answer.status_code == 200, (path, odd)
        assert "<script>" not in answer.text.replace('<script defer src="', "")
        if path == "/calls":
            assert all_rows(client, f"{path}?q={quote(odd, safe='')}") == []

"""Assets, languages, errors, and the stream that announces new calls."""

import time
from datetime import UTC, datetime

import httpx
import psycopg
import pytest

from billing.web.kit import formats
from billing.web.kit.i18n import choose_language, set_language
from tests.web.kit.test_access import csrf_of
from tests.web.serving import SignIn


def test_assets_are_cached_compressed_and_checked(empty_site: str) -> None:
    page = httpx.get(f"{empty_site}/sign-in").text
    address = page.split('src="')[1].split('"')[0]
    with httpx.Client(base_url=empty_site) as client:
        whole = client.get(address)
        assert whole.headers["content-encoding"] == "gzip"
        assert "immutable" in whole.headers["cache-control"]
        again = client.get(address, headers={"if-none-match": whole.headers["etag"]})
        assert again.status_code == 304
        plain = client.get(address, headers={"accept-encoding": "identity"})
        assert plain.content == whole.content
        assert "immutable" not in client.get("/assets/inter-latin.woff2").headers["cache-control"]
        assert client.get("/assets/nothing.js").status_code == 404
        assert client.get("/assets/..%2Fapp.py").status_code == 404


@pytest.mark.parametrize(
    ("cookie", "accepted", "chosen"),
    [
        (None, "", "es"),
        (None, "en-GB,en;q=0.9", "en"),
        (None, "fr,en;q=0.5,es;q=0.8", "es"),
        (None, "fr", "es"),
        (None, "en;q=x", "en"),
        ("en", "es", "en"),
        ("xx", "en", "en"),
    ],
)
def test_the_language_is_the_cookies_else_the_browsers_else_spanish(
    cookie: str | None, accepted: str, chosen: str
) -> None:
    assert choose_language(cookie, accepted) == chosen


def test_language_and_theme_work_without_scripts(empty_site: str, sign_in: SignIn) -> None:
    client = sign_in(empty_site)
    assert '<html lang="en" data-bs-theme="light">' in client.get("/calls").text
    form = {"csrf": csrf_of(client), "language": "es", "next": "/calls?class=local"}
    assert client.post("/preferences", data=form).headers["location"] == "/calls?class=local"
    form = {"csrf": csrf_of(client), "theme": "dark", "next": "https://evil.example"}
    assert client.post("/preferences", data=form).headers["location"] == "/"
    assert '<html lang="es" data-bs-theme="dark">' in client.get("/calls").text


def test_errors_are_pages_or_fragments(site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    page = client.get("/nothing")
    assert page.status_code == 404
    assert "There is nothing here" in page.text
    assert 'href="/companies"' in page.text, "the menu stays"
    fragment = client.get("/nothing", headers={"hx-request": "true"})
    assert "<html" not in fragment.text
    assert client.post("/calls", data={"csrf": csrf_of(client)}).status_code == 405
    assert client.post("/preferences", content=b"x" * 27_000_000).status_code == 413


def test_a_fault_of_ours_is_told_with_a_reference_only(
    database_url: str, site: str, sign_in: SignIn
) -> None:
    client = sign_in(site)
    client.get("/companies")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("alter table balances rename to elsewhere")
    answer = client.get("/companies")
    assert answer.status_code == 500
    assert "Reference" in answer.text
    assert "balances" not in answer.text


def test_health_is_told_to_anybody(empty_site: str) -> None:
    assert httpx.get(f"{empty_site}/healthz").status_code == 200


def test_new_calls_are_announced(database_url: str, site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    started = time.monotonic()
    with client.stream("GET", "/live?since=180") as answer:
        lines = (line for line in answer.iter_lines() if line.startswith("data:"))
        assert "Live" in next(lines)
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("update devices set calls = calls + 3 where company_id = 'hoteles'")
        assert "3 new calls" in next(lines)
    assert time.monotonic() - started < 10


def test_a_stream_ends_with_the_service(site: str, sign_in: SignIn) -> None:
    """The fixture fails if the application does not stop while this stream is open."""
    client = sign_in(site)
    answer = client.send(client.build_request("GET", "/live"), stream=True)
    assert answer.status_code == 200


def test_figures_are_written_as_each_language_does() -> None:
    set_language("es")
    assert formats.money(1_234_567_890, "EUR") == "1.234,57\N{NO-BREAK SPACE}€"
    assert formats.money(129_900, "EUR", 4) == "0,1299\N{NO-BREAK SPACE}€"
    assert formats.percent(781, 1000) == "78,1\N{NO-BREAK SPACE}%"
    assert formats.hm(17_131_560) == "4.758 h 46 min"
    set_language("en")
    assert formats.money(1_234_567_890, "EUR") == "€1,234.57"
    assert formats.money(-5_000_000, "PEN") == "-PEN\N{NO-BREAK SPACE}5.00"
    assert formats.money(12_400_000, "JPY") == "JP¥12"
    assert formats.money(1, "") == "0.00"
    assert formats.price("0.01234567", "EUR") == "€0.01234567"
    assert formats.hms(437) == "0:07:17"


def test_times_are_the_sites() -> None:
    set_language("en")
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    zone, moment = ZoneInfo("Europe/Madrid"), datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    assert formats.moment(moment, "d MMM y HH:mm:ss", zone) == "2 Jul 2026 00:30:00"
    assert formats.zone_name(zone) == "Madrid time"
    assert formats.zone_name(ZoneInfo("UTC")) == "UTC"

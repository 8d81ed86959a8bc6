"""Signing in and out, and the password's change."""

from datetime import UTC, datetime, timedelta

import httpx
import psycopg

from billing.web.throttle import MOST_BUCKETS, Throttle
from tests.web.serving import PASSWORD, SignIn, add_administrator
from tests.web.test_access import csrf_of

NEW = "another horse battery"


def attempt(address: str, name: str, password: str) -> httpx.Response:
    return httpx.post(
        f"{address}/sign-in",
        data={"name": name, "password": password},
        headers={"origin": address, "accept-language": "en"},
    )


def test_a_wrong_name_and_a_wrong_password_look_alike(empty_site: str) -> None:
    wrong_password, wrong_name = attempt(empty_site, "marta", "x"), attempt(empty_site, "eve", "x")
    assert wrong_password.status_code == wrong_name.status_code == 422
    assert wrong_password.text.replace("marta", "eve") == wrong_name.text
    assert "The name or the password is wrong." in wrong_name.text
    assert 'aria-invalid="true"' in wrong_name.text


def test_the_name_may_be_typed_in_capitals_and_with_spaces(empty_site: str) -> None:
    assert attempt(empty_site, " Marta ", PASSWORD).status_code == 303


def test_what_is_typed_is_shown_escaped(empty_site: str) -> None:
    assert "<script>alert" not in attempt(empty_site, '"><script>alert(1)</script>', "x").text


def test_guessing_is_slowed_down_and_the_wait_is_told(empty_site: str) -> None:
    answers = [attempt(empty_site, "marta", "guess") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [422] * 5 + [429]
    assert 50 <= int(answers[-1].headers["retry-after"]) <= 60
    assert "Too many attempts." in answers[-1].text
    assert attempt(empty_site, "marta", PASSWORD).status_code == 429


def test_only_the_tokens_hash_is_kept(database_url: str, empty_site: str, sign_in: SignIn) -> None:
    token = sign_in(empty_site).cookies["session"]
    with psycopg.connect(database_url) as connection:
        row = connection.execute("select token_hash, address, browser from sessions").fetchone()
    assert row
    assert token.encode() not in row[0]
    assert row[1:] == ("127.0.0.1", httpx.Client().headers["user-agent"])


def test_signing_out_ends_the_session_in_the_table_too(empty_site: str, sign_in: SignIn) -> None:
    client = sign_in(empty_site)
    token = client.cookies["session"]
    assert client.post("/sign-out", data={"csrf": csrf_of(client)}).status_code == 303
    assert "session" not in client.cookies
    stolen = httpx.get(f"{empty_site}/calls", headers={"cookie": f"session={token}"})
    assert stolen.status_code == 302


def test_a_session_lasts_twelve_hours_after_its_last_use(
    database_url: str, empty_site: str, sign_in: SignIn
) -> None:
    client = sign_in(empty_site)
    ago = datetime.now(UTC) - timedelta(hours=11)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "update sessions set seen_at = %s, expires_at = %s", (ago, ago + timedelta(hours=12))
        )
        assert client.get("/companies").status_code == 200
        row = connection.execute("select expires_at from sessions").fetchone()
        assert row
        assert row[0] > datetime.now(UTC) + timedelta(hours=11, minutes=55)
        connection.execute("update sessions set expires_at = %s", (datetime.now(UTC),))
    assert client.get("/companies").status_code == 302


def test_who_must_change_the_password_gets_nowhere_else_before(
    database_url: str, empty_site: str, sign_in: SignIn
) -> None:
    add_administrator(database_url, "nuria", must_change=True)
    client, other = sign_in(empty_site, "nuria"), sign_in(empty_site, "nuria")
    for path in ("/", "/calls", "/devices", "/calls/export.csv"):
        assert client.get(path).headers["location"] == "/password"
    page = client.get("/password").text
    assert "Choose a password of your own" in page
    assert 'href="/companies"' not in page
    csrf = page.split('name="csrf" value="')[1].split('"')[0]
    for current, new, again, problem in (
        ("wrong", NEW, NEW, "This is not your current password."),
        (PASSWORD, "short", "short", "Use at least 12 characters."),
        (PASSWORD, PASSWORD, PASSWORD, "The new password is the old one."),
        (PASSWORD, NEW, "different", "The two new passwords differ."),
    ):
        form = {"csrf": csrf, "current": current, "new": new, "again": again}
        answer = client.post("/password", data=form)
        assert answer.status_code == 422
        assert problem in answer.text
    form = {"csrf": csrf, "current": PASSWORD, "new": NEW, "again": NEW}
    assert client.post("/password", data=form).status_code == 303
    assert client.get("/companies").status_code == 200
    assert other.get("/companies").status_code == 302, "other sessions end"
    assert attempt(empty_site, "nuria", PASSWORD).status_code == 422
    assert attempt(empty_site, "nuria", NEW).status_code == 303


def test_a_bucket_fills_up_again() -> None:
    throttle = Throttle(burst=2, every_seconds=10)
    assert [throttle.wait_seconds("a", now=0) for _ in range(3)] == [0, 0, 10]
    assert throttle.wait_seconds("b", now=0) == 0
    assert throttle.wait_seconds("a", now=4) == 6
    assert throttle.wait_seconds("a", now=10) == 0
    throttle.forget("a")
    assert throttle.wait_seconds("a", now=10) == 0


def test_buckets_do_not_grow_without_bound() -> None:
    throttle = Throttle(burst=1, every_seconds=1000)
    for number in range(MOST_BUCKETS + 10):
        throttle.wait_seconds(str(number), now=0)
    assert len(throttle._buckets) == MOST_BUCKETS  # noqa: SLF001 -- what memory it takes

"""Two-factor over real HTTP: set up, required, recovered, reset."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pyotp
import pytest

from billing.credentials.one_time_codes import STEP_SECONDS, hash_recovery_code, step_of
from tests.trust import TRUST
from tests.web.kit.test_access import csrf_of
from tests.web.serving import PASSWORD, SignIn, add_administrator, add_to_log, following

Half = Callable[[], httpx.Client]
SET_UP = "/my-account/two-factor"


@pytest.fixture
def site(database_url: str, empty_site: str) -> str:
    """A site with Marta, who is in the log."""
    add_to_log(database_url)
    return empty_site


def csrf_in(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]


def code_of(secret: str, steps: int = 1) -> str:
    """Return a code that stays valid if a step begins now, and differs from that of enrolment."""
    return pyotp.TOTP(secret).at(datetime.now(UTC), counter_offset=steps)


def enrol(client: httpx.Client) -> tuple[str, list[str]]:
    """Set up two-factor; return the secret and the recovery codes."""
    csrf = csrf_in(client.get(SET_UP).text)
    assert client.post(f"{SET_UP}/begin", data={"csrf": csrf}).status_code == 303
    page = client.get(SET_UP).text
    assert '<svg width="' in page
    found = re.search(r'id="secret"[^>]*>([A-Z2-7 ]+)<', page)
    assert found
    secret = found[1].replace(" ", "")
    answer = client.post(SET_UP, data={"csrf": csrf, "code": code_of(secret, 0)})
    assert answer.status_code == 200, answer.text
    codes = re.findall(r"<li><code>([a-z0-9-]{19})</code>", answer.text)
    assert len(codes) == 10
    return secret, codes


@pytest.fixture
def half(site: str) -> Iterator[Half]:
    """Return a function that opens clients which have given the password but no code."""
    clients: list[httpx.Client] = []

    def opened() -> httpx.Client:
        headers = {"origin": site, "accept-language": "en"}
        client = httpx.Client(base_url=site, headers=headers, verify=TRUST)
        clients.append(client)
        form = {"name": "marta", "password": PASSWORD, "next": "/companies"}
        answer = client.post("/sign-in", data=form)
        assert answer.headers["location"] == "/sign-in/code?next=%2Fcompanies", answer.text
        assert "session" not in client.cookies
        return client

    yield opened
    for client in clients:
        client.close()


def reasons(database_url: str) -> list[tuple[str, str]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute("select kind, reason from sign_ins order by id").fetchall()


def events(database_url: str) -> list[str]:
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "select topic from billing_events where originator_id = 'administrator:marta'"
            " order by originator_version"
        ).fetchall()
    return [topic for (topic,) in rows]


def test_a_code_is_good_once_and_only_after_the_password(
    database_url: str, site: str, sign_in: SignIn, half: Half
) -> None:
    secret, _ = enrol(sign_in(site))
    client = half()
    assert client.get("/companies").headers["location"].startswith("/sign-in?next")
    near = {code_of(secret, steps) for steps in range(-2, 3)}
    wrong = next(code for code in map("{:06}".format, range(9)) if code not in near)
    refused = client.post("/sign-in/code", data={"code": wrong})
    assert refused.status_code == 422
    assert "This is not the current code." in refused.text
    code = code_of(secret)
    answer = client.post(
        "/sign-in/code", data={"code": f" {code[:3]} {code[3:]}", "next": "/calls"}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/calls")
    assert client.get("/companies").status_code == 200
    again = half().post("/sign-in/code", data={"code": code})
    assert again.status_code == 422
    assert "This code was used already." in again.text
    assert httpx.get(f"{site}/sign-in/code").headers["location"] == "/sign-in"
    assert reasons(database_url) == [
        ("signed_in", ""),
        ("half", ""),
        ("refused", "code"),
        ("signed_in", "by_code"),
        ("half", ""),
        ("refused", "used_code"),
    ]


def test_a_recovery_code_replaces_the_phone_once(
    database_url: str, site: str, sign_in: SignIn, half: Half
) -> None:
    _, codes = enrol(sign_in(site))
    answer = half().post("/sign-in/code", data={"code": codes[0].upper().replace("-", " ")})
    assert answer.status_code == 303
    again = half().post("/sign-in/code", data={"code": codes[0], "recovery": "yes"})
    assert again.status_code == 422
    assert "This is not one of your unused recovery codes." in again.text
    assert events(database_url)[1:] == ["TwoFactorEnabled.1", "RecoveryCodeUsed.1"]
    with psycopg.connect(database_url) as connection:
        kept = connection.execute("select code_hash from recovery_codes").fetchall()
        log = connection.execute("select state from billing_events").fetchall()
    assert (hash_recovery_code(codes[1]),) in kept
    assert not any(code.encode() in state for code in codes for (state,) in log)


def test_guessing_codes_is_slowed_down_also_with_new_half_sessions(
    database_url: str, site: str, sign_in: SignIn, half: Half
) -> None:
    secret, codes = enrol(sign_in(site))
    for code in ("x", "1", "123 45", "wrong-code-wrong", "١٢٣٤٥٦"):
        assert half().post("/sign-in/code", data={"code": code}).status_code == 422
    answer = half().post("/sign-in/code", data={"code": code_of(secret)})
    assert answer.status_code == 429
    assert 50 <= int(answer.headers["retry-after"]) <= 60
    assert "Too many attempts." in answer.text
    assert half().post("/sign-in/code", data={"code": codes[0]}).status_code == 429
    assert reasons(database_url).count(("refused", "throttled")) == 1, "one line a minute"


def test_a_half_session_ends_by_itself(
    database_url: str, site: str, sign_in: SignIn, half: Half
) -> None:
    secret, _ = enrol(sign_in(site))
    client = half()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update half_sessions set expires_at = now()")
    answer = client.post("/sign-in/code", data={"code": code_of(secret)})
    assert answer.headers["location"] == "/sign-in"
    assert "session" not in client.cookies


def test_it_is_switched_off_with_password_and_code(
    database_url: str, site: str, sign_in: SignIn
) -> None:
    client = sign_in(site)
    secret, codes = enrol(client)
    csrf = csrf_of(client)
    for form, problem in (
        ({"password": "wrong", "code": code_of(secret)}, "This is not your current password."),
        ({"password": PASSWORD, "code": "x-1"}, "This is not one of your unused recovery codes."),
    ):
        answer = client.post(f"{SET_UP}/off", data={"csrf": csrf, **form})
        assert answer.status_code == 422
        assert problem in answer.text
    new = client.post(
        f"{SET_UP}/codes", data={"csrf": csrf, "password": PASSWORD, "code": code_of(secret)}
    )
    assert new.status_code == 200
    form = {"csrf": csrf, "password": PASSWORD}
    assert client.post(f"{SET_UP}/off", data={**form, "code": codes[0]}).status_code == 422
    fresh = re.findall(r"<li><code>([a-z0-9-]{19})</code>", new.text)[0]
    assert client.post(f"{SET_UP}/off", data={**form, "code": fresh}).status_code == 303
    assert sign_in(site).get("/companies").status_code == 200, "the password is enough again"
    assert events(database_url)[1:] == [
        "TwoFactorEnabled.1",
        "RecoveryCodesMade.1",
        "RecoveryCodeUsed.1",
        "TwoFactorDisabled.1",
    ]


def test_who_must_use_it_gets_nowhere_else_before(
    database_url: str, site: str, sign_in: SignIn
) -> None:
    add_administrator(database_url, "nuria", "operator")
    add_to_log(database_url, "nuria", "operator")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update administrators set must_use_two_factor = true")
    client = sign_in(site, "nuria")
    for path in ("/", "/calls", "/my-account", "/my-account/tokens/new", f"{SET_UP}/off"):
        assert client.get(path).headers["location"] == SET_UP, path
    assert 'href="/companies"' not in client.get(SET_UP).text
    enrol(client)
    assert client.get("/my-account").status_code == 200


def test_another_administrator_requires_it_and_takes_it_away(
    database_url: str, empty_site: str, sign_in: SignIn
) -> None:
    marta = sign_in(empty_site)
    add_to_log(database_url, "nuria")
    with following(database_url):
        csrf = csrf_of(marta)
        while marta.get("/administrators/nuria").status_code == 404:
            pass
        add_administrator(database_url, "nuria")
        own = "/administrators/nuria"
        demand = {"csrf": csrf, "demanded": "yes"}
        assert marta.post(f"{own}/two-factor/demand", data=demand).status_code == 303
        nuria = sign_in(empty_site, "nuria")
        assert nuria.get("/calls").headers["location"] == SET_UP
        secret, _ = enrol(nuria)
        form = {"csrf": csrf_of(nuria), "password": PASSWORD, "code": code_of(secret)}
        answer = nuria.post(f"{SET_UP}/off", data=form)
        assert answer.status_code == 422
        assert "mandatory for you" in answer.text
        assert marta.post(f"{own}/two-factor/reset", data={"csrf": csrf}).status_code == 303
        assert nuria.get("/calls").headers["location"].startswith("/sign-in"), "sessions end"
        assert sign_in(empty_site, "nuria").get("/calls").headers["location"] == SET_UP
        operations = marta.get("/operations?kind=administrator").text
        log = marta.get("/sign-ins?kind=ended").text
    for said in ("Two-factor requirement changed", "Two-factor reset"):
        assert said in operations
    assert "Two-factor was reset" in log
    assert "Marta Ruiz" in log


def test_codes_of_a_phone_whose_clock_is_a_little_off_are_taken() -> None:
    secret, now = pyotp.random_base32(), datetime(2026, 11, 25, 12, tzinfo=UTC)
    current = int(now.timestamp()) // STEP_SECONDS
    for steps, taken in ((-2, False), (-1, True), (0, True), (1, True), (2, False)):
        code = pyotp.TOTP(secret).at(now + timedelta(seconds=STEP_SECONDS * steps))
        found = step_of(secret, code, now)
        assert (found is not None) is taken or found in range(current - 1, current + 2)
    for code in ("", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "12345\x00"):
        assert step_of(secret, code, now) is None

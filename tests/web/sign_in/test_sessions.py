"""Ended sessions: by whom, why and when, in the login log."""

import httpx
import psycopg
import pytest

from tests.web.accounts.test_accounts import read_back
from tests.web.kit.test_access import csrf_of
from tests.web.serving import PASSWORD, SignIn, add_administrator, add_to_log, add_token

NEW = "another horse battery"


@pytest.fixture
def site(database_url: str, empty_site: str) -> str:
    """A site with Marta and Nuria, both in the log."""
    add_administrator(database_url, "nuria", "operator")
    for name, role in (("marta", "administrator"), ("nuria", "operator")):
        add_to_log(database_url, name, role)
    return empty_site


def post(client: httpx.Client, path: str, **fields: str) -> None:
    answer = client.post(path, data={"csrf": csrf_of(client), **fields})
    assert answer.status_code in (200, 303), answer.text


def ended(database_url: str) -> list[tuple[str, str, str, str]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(
            "select kind, reason, sign_in_name, ended_by from sign_ins"
            " where kind not in ('signed_in', 'refused') order by id"
        ).fetchall()


@pytest.mark.parametrize(
    ("path", "reason"),
    [("sessions", "by_hand"), ("password", "new_password"), ("enabled", "disabled")],
)
def test_a_session_that_somebody_else_ends_is_no_sign_out(
    path: str, reason: str, database_url: str, site: str, sign_in: SignIn
) -> None:
    nuria, marta = sign_in(site, "nuria"), sign_in(site)
    post(marta, f"/administrators/nuria/{path}", enabled="no")
    assert nuria.get("/calls").headers["location"].startswith("/sign-in")
    assert ended(database_url) == [("ended", reason, "nuria", "administrator:marta")]
    shown = marta.get("/sign-ins?kind=ended").text
    assert "by Marta Ruiz" in " ".join(shown.split())
    book = read_back(marta, f"/sign-ins/export.xlsx?reason={reason}")
    rows = list(book.worksheets[0].iter_rows(min_row=2, values_only=True))
    assert any(row[3] == "nuria" and row[6] == "Marta Ruiz" for row in rows)


def test_ones_own_other_sessions_are_ended_one_by_one_or_all(
    database_url: str, site: str, sign_in: SignIn
) -> None:
    here, there, elsewhere = (sign_in(site, "nuria") for _ in range(3))
    page = here.get("/my-account").text
    assert page.count('name="session" value="') == 3
    one = page.split('name="session" value="')[2].split('"')[0]
    post(here, "/my-account/sessions", session=one)
    assert sorted(each.get("/calls").status_code for each in (there, elsewhere)) == [200, 302]
    post(here, "/my-account/sessions", session="others")
    assert [each.get("/calls").status_code for each in (here, there, elsewhere)] == [200, 302, 302]
    assert here.post("/my-account/sessions", data={"csrf": csrf_of(here)}).status_code == 404
    assert ended(database_url) == [("ended", "by_hand", "nuria", "administrator:nuria")] * 2


def test_a_new_password_of_ones_own_ends_the_other_sessions_and_is_told(
    database_url: str, site: str, sign_in: SignIn
) -> None:
    here, there = sign_in(site, "nuria"), sign_in(site, "nuria")
    post(here, "/password", current=PASSWORD, new=NEW, again=NEW)
    assert there.get("/calls").status_code == 302
    assert ended(database_url) == [("ended", "new_password", "nuria", "administrator:nuria")]
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("select topic from billing_events order by notification_id")
        assert rows.fetchall()[-1] == ("AdministratorPasswordChanged.1",)


def run_out(database_url: str) -> None:
    """Make Nuria's sessions an hour too old."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "update sessions set expires_at = now() - interval '1 hour'"
            " where administrator_id = 'nuria'"
        )


def test_what_ran_out_is_told_though_nobody_signed_in_since(
    database_url: str, site: str, sign_in: SignIn
) -> None:
    marta = sign_in(site)
    sign_in(site, "nuria")
    run_out(database_url)
    assert "Session expired" in marta.get("/sign-ins?kind=expired&q=nuria").text
    assert ended(database_url) == [("expired", "", "nuria", "")]


def test_a_session_that_ran_out_is_not_said_to_be_ended_by_somebody(
    database_url: str, site: str, sign_in: SignIn
) -> None:
    marta = sign_in(site)
    sign_in(site, "nuria")
    run_out(database_url)
    post(marta, "/administrators/nuria/sessions")
    assert ended(database_url) == [("expired", "", "nuria", "")]


def test_tokens_of_others_are_revoked_and_those_of_the_disabled_stay_so(
    database_url: str, site: str, sign_in: SignIn
) -> None:
    marta = sign_in(site)
    tokens = [add_token(database_url, "calls", name="nuria") for _ in range(2)]

    def admitted() -> list[bool]:
        return [
            httpx.get(
                f"{site}/api/v1/calls", headers={"authorization": f"Bearer {token}"}
            ).is_success
            for token in tokens
        ]

    assert admitted() == [True, True]
    with psycopg.connect(database_url, autocommit=True) as connection:
        post(marta, "/administrators/nuria/enabled", enabled="no")
        assert admitted() == [False, False]
        post(marta, "/administrators/nuria/enabled", enabled="yes")
        connection.execute("update administrators set enabled = true")
        assert admitted() == [False, False]
    assert "Revoked" in marta.get("/administrators/nuria").text


def test_an_administrator_revokes_a_token_that_somebody_made(
    database_url: str, site: str, sign_in: SignIn
) -> None:
    marta, nuria = sign_in(site), sign_in(site, "nuria")
    form = {"csrf": csrf_of(nuria), "name": "Portal", "scope": "calls"}
    made = nuria.post("/my-account/tokens/new", data=form).text
    token = made.split('id="token"')[1].split(">")[1].split("<")[0]
    shown = {"authorization": f"Bearer {token}"}
    assert httpx.get(f"{site}/api/v1/calls", headers=shown).status_code == 200
    page = marta.get("/administrators/nuria").text
    assert token not in page
    own = page.split("/administrators/nuria/tokens/")[1].split("/revoke")[0]
    post(marta, f"/administrators/nuria/tokens/{own}/revoke")
    assert httpx.get(f"{site}/api/v1/calls", headers=shown).status_code == 401
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "select topic from billing_events where originator_id = 'administrator:nuria'"
            " order by originator_version"
        ).fetchall()
    assert [topic for (topic,) in rows[1:]] == ["ApiTokenMade.1", "ApiTokenRevoked.1"]

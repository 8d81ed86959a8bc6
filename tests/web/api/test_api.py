"""The JSON API for programs with a token: calls, accounts, recharges, exports, metrics."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest

from billing.cli.setup import said_here
from billing.commands.accounts import ReverseRecharge, reverse_recharge
from billing.log.store import Store
from tests.trust import TRUST
from tests.web.kit.test_access import csrf_of
from tests.web.serving import SignIn, add_administrator, add_to_log, add_token, following

CLINIC = "/api/v1/accounts/company:clinica"
SENT = {"amount": "25.50", "currency": "EUR", "reference": "transfer 4411", "reason": "Portal"}


def program(site: str, token: str) -> httpx.Client:
    headers = {"authorization": f"Bearer {token}", "accept-language": "en"}
    return httpx.Client(base_url=site, headers=headers, timeout=20, verify=TRUST)


def test_calls_of_a_filter_are_read_page_by_page(database_url: str, site: str) -> None:
    with program(site, add_token(database_url, "calls")) as client:
        every = client.get("/api/v1/calls?company=clinica&limit=1000").json()
        assert every["after"] is None
        assert {call["company"] for call in every["calls"]} == {"Clínica Santa Águeda"}
        found, after = [], ""
        while after is not None:
            query = {"company": "clinica", "limit": "20", **({"after": after} if after else {})}
            answer = client.get("/api/v1/calls", params=query).json()
            found += answer["calls"]
            after = answer["after"]
        assert found == every["calls"]
        priced = next(call for call in found if call["amount"] != "0")
        assert isinstance(priced["amount"], str)
        for wrong in ("limit=0", "limit=1001", "limit=x", "from=yesterday", "after=x"):
            refused = client.get(f"/api/v1/calls?{wrong}")
            assert refused.status_code == 400, wrong
            assert refused.json()["status"] == 400


def test_files_are_read_with_a_token(database_url: str, site: str) -> None:
    with program(site, add_token(database_url, "calls")) as client:
        assert len(client.get("/calls/export.csv").text.splitlines()) == 181
        for path in ("/calls/export.xlsx", "/statistics/export.xlsx"):
            assert client.get(path).content[:2] == b"PK", path
        assert client.get("/statistics/periods.csv").status_code == 200
        assert client.get("/movements/export.csv").status_code == 403


def test_accounts_and_their_balances_are_read(database_url: str, site: str) -> None:
    with program(site, add_token(database_url, "accounts")) as client:
        listed = client.get("/api/v1/accounts?kind=company").json()["accounts"]
        assert [each["account"] for each in listed] == sorted(each["account"] for each in listed)
        one = client.get(CLINIC).json()
        assert one["balance"] == next(
            each["balance"] for each in listed if each["account"] == "company:clinica"
        )
        assert one["currency"] == "EUR"
        moved = client.get("/api/v1/movements?account=company:clinica").json()["movements"]
        assert [each["amount"] for each in moved] == ["250"]
        users = client.get("/api/v1/accounts?kind=user&company=clinica&q=recep").json()["accounts"]
        assert [(each["name"], each["balance"]) for each in users] == [("Recepción", None)]
        missing = client.get("/api/v1/accounts/company:nobody")
        assert missing.status_code == 404
        assert missing.headers["content-type"] == "application/problem+json"


def test_a_recharge_is_made_once_however_often_it_is_sent(
    database_url: str, site: str, sign_in: SignIn
) -> None:
    token = add_token(database_url, "recharge", "accounts")
    with following(database_url), program(site, token) as client:
        before = client.get(CLINIC).json()["balance"]
        with ThreadPoolExecutor(4) as pool:
            answers = list(
                pool.map(lambda _: client.post(f"{CLINIC}/recharges", json=SENT), range(4))
            )
        assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
        assert len({answer.json()["recharge"] for answer in answers}) == 1
        after = client.get(CLINIC).json()["balance"]
        assert round(float(after) - float(before), 6) == 25.5
        other = client.post(f"{CLINIC}/recharges", json={**SENT, "amount": "26"})
        assert other.status_code == 409
        assert "transfer 4411" in other.json()["detail"]
        operations = sign_in(site).get("/operations?kind=company").text
    assert "API token Portal" in operations
    assert "transfer 4411" in operations


def test_a_reference_whose_recharge_was_reversed_says_so(database_url: str, site: str) -> None:
    with following(database_url), program(site, add_token(database_url, "recharge")) as client:
        sent = {**SENT, "reference": "transfer 4412"}
        made = client.post(f"{CLINIC}/recharges", json=sent).json()
        store = Store(database_url)
        undone = ReverseRecharge(account="company:clinica", version=made["recharge"], reason="-")
        reverse_recharge(store, undone, said_here())
        store.close()
        again = client.post(f"{CLINIC}/recharges", json=sent)
        assert again.status_code == 409
        said = "The recharge with the reference transfer 4412 was reversed."
        assert again.json()["detail"] == said


def test_errors_are_in_the_language_requested_and_english_otherwise(
    database_url: str, site: str
) -> None:
    with program(site, add_token(database_url, "recharge")) as client:
        for path, body in (
            (f"{CLINIC}/recharges", {**SENT, "amount": "-1"}),
            (f"{CLINIC}/recharges", {**SENT, "extra": 1}),
            ("/api/v1/accounts/company:nobody/recharges", SENT),
            ("/movements/export.csv", {}),
        ):
            said = {}
            for language in ("", "en", "es"):
                client.headers["accept-language"] = language
                answer = client.post(path, json=body).json()
                said[language] = (answer["title"], answer["detail"])
            assert said[""] == said["en"], path
            assert not set(said["en"]) & set(said["es"]), path


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("[]", 400),
        ('{"amount":25.5,"currency":"EUR","reference":"a","reason":"b"}', 400),
        ('{"amount":"25","currency":"EUR","reference":"a","reason":"b","extra":1}', 400),
        ('{"amount":"25","currency":"EUR","reference":" ","reason":"b"}', 422),
        ('{"amount":"-25","currency":"EUR","reference":"a","reason":"b"}', 422),
        ('{"amount":"25","currency":"PEN","reference":"a","reason":"b"}', 422),
        ('{"amount":"1,5","currency":"EUR","reference":"a","reason":"b"}', 422),
        ('{"amount":"25","currency":"EUR","reference":"\\u0000","reason":"b"}', 422),
        ('{"amount":"1e9999999","currency":"EUR","reference":"a","reason":"b"}', 422),
    ],
)
def test_a_recharge_that_makes_no_sense_is_refused(
    body: str, status: int, database_url: str, site: str
) -> None:
    with program(site, add_token(database_url, "recharge")) as client:
        answer = client.post(f"{CLINIC}/recharges", content=body)
        assert answer.status_code == status, answer.text
        assert answer.json()["title"]
        assert answer.json()["detail"]


def test_a_token_ends_with_its_day_its_revocation_and_its_owner(
    database_url: str, empty_site: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for done in (
            "update api_tokens set expires_at = now()",
            "update api_tokens set revoked_at = now()",
            "update administrators set enabled = false",
        ):
            with program(empty_site, add_token(database_url, "calls")) as client:
                assert client.get("/api/v1/calls").status_code == 200
                connection.execute(done.encode())
                answer = client.get("/api/v1/calls")
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == "Bearer"
                assert "Send a valid API token" in answer.json()["detail"]
            connection.execute("update administrators set enabled = true")
        logged = connection.execute("select kind, reason, sign_in_name from sign_ins").fetchall()
    assert logged == [("refused", "token", "marta")], "one line a minute"


def test_a_token_is_made_on_a_page_shown_once_and_revoked(
    database_url: str, empty_site: str, sign_in: SignIn
) -> None:
    add_to_log(database_url)
    client = sign_in(empty_site)
    csrf = csrf_of(client)
    last = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    form = {"csrf": csrf, "name": "Portal", "scope": ["calls", "recharge"], "last_day": last}
    made = client.post("/my-account/tokens/new", data=form).text
    token = made.split('id="token"')[1].split(">")[1].split("<")[0]
    assert token.startswith("contarifa_")
    again = client.post("/my-account/tokens/new", data=form)
    assert again.status_code == 422
    assert "You already have a token called Portal." in again.text
    with program(empty_site, token) as portal:
        assert portal.get("/api/v1/calls").status_code == 200
        page = client.get("/my-account").text
        assert token not in page
        assert "127.0.0.1" in page
        assert "Recharge accounts" in page
        own = page.split('action="/my-account/tokens/')[1].split("/revoke")[0]
        assert (
            client.post(f"/my-account/tokens/{own}/revoke", data={"csrf": csrf}).status_code == 303
        )
        assert portal.get("/api/v1/calls").status_code == 401
    with psycopg.connect(database_url) as connection:
        log = connection.execute("select state from billing_events").fetchall()
        kept = connection.execute("select token_hash from api_tokens").fetchall()
    secret = token.removeprefix("contarifa_").encode()
    assert not any(secret in row[0] for row in (*log, *kept))


def test_an_operator_is_offered_what_the_role_admits(
    database_url: str, empty_site: str, sign_in: SignIn
) -> None:
    add_administrator(database_url, "olga", "operator")
    page = sign_in(empty_site, "olga").get("/my-account/tokens/new").text
    assert 'value="calls"' in page
    assert 'value="recharge"' not in page


def test_metrics_are_read_with_a_token_of_that_scope(database_url: str, empty_site: str) -> None:
    headers = {"x-forwarded-for": "192.0.2.1"}
    with program(empty_site, add_token(database_url, "metrics")) as client:
        assert "contarifa_" in client.get("/metrics", headers=headers).text
    with program(empty_site, add_token(database_url, "calls")) as client:
        assert client.get("/metrics", headers=headers).status_code == 403

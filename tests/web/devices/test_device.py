"""The page of a device: registered, edited, disabled; its accounts shown once and replaced."""

import re
from pathlib import Path

import psycopg

from billing.credentials.passwords import verify_password
from tests.ingest.serving import served as submission_served
from tests.web.rerating.test_rerating import post
from tests.web.serving import SignIn, add_administrator, following, served

NEW = {
    "company": "clinica",
    "name": "Sede norte",
    "model": "FreeSWITCH",
    "time_zone": "Europe/Madrid",
    "country": "ES",
    "area_code": "91",
    "format": "auto",
}
PBX = "/devices/clinica-pbx"


def shown(text: str, what: str) -> str:
    return str(re.findall(rf'id="{what}">([^<]+)<', text)[0])


def test_a_device_is_registered_with_a_password_that_is_shown_once(
    site: str, sign_in: SignIn, database_url: str
) -> None:
    with following(database_url):
        client = sign_in(site)
        wrong = post(client, "/devices/new", **{**NEW, "area_code": "x"})
        assert (wrong.status_code, "digits only" in wrong.text) == (422, True)
        answer = post(client, "/devices/new", **NEW)
        account, password = shown(answer.text, "account"), shown(answer.text, "password")
        with psycopg.connect(database_url) as connection:
            ((device_id, known),) = connection.execute(
                "select device_id, password_hash from device_credentials where account = %s",
                (account,),
            ).fetchall()
        assert verify_password(known, password)
        page = client.get(f"/devices/{device_id}").text
    assert account in page
    assert password not in page


def test_a_rotated_account_goes_on_for_as_long_as_was_said(
    site: str, sign_in: SignIn, database_url: str
) -> None:
    client = sign_in(site)
    post(client, f"{PBX}/accounts", account="clinic")
    rotated = post(client, f"{PBX}/accounts/rotate", account="clinic", hours="24")
    assert shown(rotated.text, "account") == "clinic-2"
    page = client.get(PBX).text
    assert page.count("until ") == 1
    post(client, f"{PBX}/accounts/revoke", account="clinic")
    assert "Ended" in client.get(PBX).text
    assert post(client, f"{PBX}/accounts/rotate", account="clinic", hours="1").status_code == 400


def test_a_device_is_edited_and_disabled_but_not_by_an_auditor(
    site: str, sign_in: SignIn, database_url: str
) -> None:
    add_administrator(database_url, "ana", "auditor")
    told = {**NEW, "fallback_encoding": "cp1252", "addresses": "192.0.2.0/24\n2001:db8::1"}
    with following(database_url):
        client = sign_in(site)
        wrong = post(client, f"{PBX}/edit", **{**told, "addresses": "next door"})
        assert (wrong.status_code, "is not an IP address" in wrong.text) == (422, True)
        assert post(client, f"{PBX}/edit", **told, silent_after_minutes="1").status_code == 303
        page = client.get(PBX).text
        assert "192.0.2.0/24, 2001:db8::1" in page
        assert "after 1 minute" in page
        assert post(client, f"{PBX}/disable", reason="sold").status_code == 303
        assert "This device is disabled: sold" in client.get(PBX).text
        assert "Sede norte" in client.get("/devices?state=disabled").text
        assert post(client, f"{PBX}/enable").status_code == 303
    auditor = sign_in(site, "ana")
    assert auditor.get(PBX).status_code == 200
    assert post(auditor, f"{PBX}/disable", reason="-").status_code == 403
    assert auditor.get(f"{PBX}/edit").status_code == 403


def test_a_test_record_takes_the_way_of_the_device(
    site: str, sign_in: SignIn, database_url: str, tmp_path: Path
) -> None:
    with submission_served(database_url) as address:
        port = int(address.rpartition(":")[2])
        with served(database_url, tmp_path / "own", cdr_port=port) as own:
            client = sign_in(own)
            text = post(client, f"{PBX}/trial").text
            assert "Record accepted" in text
            assert "&#34;accepted&#34;:1" in text
    with psycopg.connect(database_url) as connection:
        count = connection.execute("select count(*) from device_credentials").fetchall()
    assert count == [(0,)]

"""The work of a limited administrator within the limit, and where the limit is shown."""

import csv
import re
from html import unescape
from urllib.parse import unquote, urlencode

import httpx
import psycopg
import pytest

from tests.web import foreign
from tests.web.calls.test_calls import total
from tests.web.foreign import OWN, TOLD, Site, ask
from tests.web.serving import PASSWORD, SignIn, following


def test_a_read_model_that_does_not_know_of_the_limit_yet_admits_nobody_limited(
    limited: Site, sign_in: SignIn
) -> None:
    client = sign_in(limited.address, "operator")
    with psycopg.connect(limited.database_url, autocommit=True) as connection:
        connection.execute(
            "update administrator_credentials set as_of = 1 where administrator_id = 'operator'"
        )
        assert client.get("/calls").status_code == 200
        connection.execute("update checkpoints set position = 0 where name = 'administrators'")
        assert client.get("/calls").headers["location"].startswith("/sign-in")
        form = {"name": "operator", "password": PASSWORD}
        origin = {"origin": limited.address}
        answer = httpx.post(f"{limited.address}/sign-in", data=form, headers=origin)
        assert answer.status_code == 422
    assert sign_in(limited.address).get("/calls").status_code == 200


def test_figures_are_those_of_the_own_companies(limited: Site, sign_in: SignIn) -> None:
    client, marta = sign_in(limited.address, "auditor"), sign_in(limited.address)
    period = {"from": "2020-01-01"}

    def calls(who: httpx.Client, **fields: str) -> int:
        return total(who, "/calls?" + urlencode({**period, **fields}))

    each = [calls(marta, company=company) for company in OWN]
    assert min(each) > 0
    assert calls(client) == sum(each) < calls(marta)
    for fields in ({"class": "local"}, {"status": "suspended"}, {"user": "*"}, {"hour": "9"}):
        assert calls(client, **fields) == sum(
            calls(marta, company=company, **fields) for company in OWN
        )
    assert calls(client, device="clinica-pbx") == calls(marta, device="clinica-pbx")
    assert calls(client, company="clinica") == each[0]


def test_the_list_of_several_companies_goes_on_in_order_both_ways(
    limited: Site, sign_in: SignIn
) -> None:
    client, marta = sign_in(limited.address, "auditor"), sign_in(limited.address)
    expected = []
    for company in OWN:
        expected += ids_of(marta.get(f"/calls/export.csv?company={company}").text)
    pages, text = list[list[str]](), client.get("/calls").text
    while True:
        pages.append(re.findall(r'<td class="when"><a href="/calls/([^"]+)"', text))
        older = re.search(r'rel="next"[^>]* href="([^"]+)"', text)
        if not older:
            break
        text = client.get(unescape(older[1])).text
    shown = [unquote(call_id) for page in pages for call_id in page]
    exported = ids_of(client.get("/calls/export.csv").text)
    assert shown == exported
    assert sorted(shown) == sorted(expected)
    newer = re.search(r'rel="prev"[^>]* href="([^"]+)"', text)
    assert newer
    back = client.get(unescape(newer[1])).text
    assert re.findall(r'<td class="when"><a href="/calls/([^"]+)"', back) == pages[-2]


def ids_of(text: str) -> list[str]:
    """Return the calls of an exported list."""
    return [row[-1] for row in csv.reader(text.lstrip("\ufeff").splitlines()[1:])]


def test_new_calls_of_others_are_not_counted(limited: Site, sign_in: SignIn) -> None:
    client = sign_in(limited.address, "operator")
    with psycopg.connect(limited.database_url) as connection:
        row = connection.execute(
            "select sum(calls) from devices where company_id = any(%s)", (list(OWN),)
        ).fetchone()
    assert row
    with client.stream("GET", "/live?since=0") as stream:
        first = next(line for line in stream.iter_lines() if line.startswith("data:"))
    assert re.search(rf"\b{row[0]} new calls", first)


@pytest.mark.parametrize("role", ["administrator"])
def test_within_the_limit_the_role_decides(
    role: str, limited: Site, limited_client: httpx.Client
) -> None:
    with following(limited.database_url):
        fields = {"amount": "20", "reason": "transfer"}
        answer = ask(limited_client, "POST", "/accounts/company:clinica/recharge", fields)
        assert answer.status_code == 303
        fields = {"company": "hoteles", "name": "Bar"}
        answer = ask(limited_client, "POST", "/user-accounts/new", fields)
        assert answer.status_code == 303
        assert "Bar" in limited_client.get("/user-accounts?company=hoteles").text
        refused = ask(
            limited_client, "POST", "/user-accounts/new", {**fields, "company": "gestoria"}
        )
        assert refused.status_code == 404
        answer = ask(limited_client, "POST", "/suspended", {"reason": "no_rate"})
        assert answer.status_code == 303
        assert limited_client.get(answer.headers["location"]).status_code == 200
    with psycopg.connect(limited.database_url) as connection:
        asked = connection.execute(
            "select asked -> 'companies' from corrections where correction_id <> %s",
            (foreign.CORRECTION,),
        ).fetchall()
    assert asked == [(list(OWN),)]


@pytest.mark.parametrize("role", ["administrator"])
def test_a_sheet_finds_no_account_and_no_device_of_others(
    role: str, limited: Site, limited_client: httpx.Client
) -> None:
    def send(path: str, text: str, **fields: str) -> str:
        files = {"file": ("sheet.csv", text.encode(), "text/csv")}
        answer = limited_client.post(path, data=fields, files=files)
        assert answer.status_code == 422
        assert not TOLD.search(answer.text)
        return answer.text

    sheet = f"account,amount,reason\n{foreign.COMPANY},5,x\n"
    assert f"There is no account {foreign.COMPANY}." in send("/movements/import", sheet)
    sheet = f"name,extensions,device\nAna,201,{foreign.DEVICE}\n"
    said = send("/user-accounts/import", sheet, company="clinica")
    assert f"There is no device {foreign.DEVICE}." in said
    sheet = f"extension,account\n201,{foreign.USER}\n"
    assert "no user account" in send("/devices/clinica-pbx/extensions/import", sheet)


@pytest.mark.parametrize("role", ["administrator"])
def test_only_own_rate_groups_are_offered(
    role: str, limited: Site, sign_in: SignIn, limited_client: httpx.Client
) -> None:
    path = "/accounts/company:clinica/bind"
    assert foreign.GROUP in sign_in(limited.address).get(path).text
    assert (
        "<option"
        not in limited_client.get(path).text.partition('name="group"')[2].partition("<")[2]
    )


def test_a_job_of_before_the_limit_is_not_shown_after_it(limited: Site, sign_in: SignIn) -> None:
    client = sign_in(limited.address)
    assert client.get("/calls/export.xlsx").status_code == 200
    page = client.get("/exports").text
    job = re.search(r'href="(/exports/[^"]+)"', page)
    assert job
    with psycopg.connect(limited.database_url, autocommit=True) as connection:
        connection.execute(
            "update administrators set companies = '{clinica}' where administrator_id = 'marta'"
        )
    assert client.get(job[1]).status_code == 404
    assert job[1] not in client.get("/exports").text


def test_the_menu_and_the_refusal_say_where_the_limit_is(limited: Site, sign_in: SignIn) -> None:
    client = sign_in(limited.address, "administrator")
    page = client.get("/").text
    assert "Limited to 2 companies" in page
    links = set(re.findall(r'href="(/[^"?#]*)', page)) - {"/"}
    for link in links:
        assert client.get(link).status_code == 200, link
    answer = client.get("/system")
    assert answer.status_code == 403
    assert "your access is limited to some companies" in answer.text


@pytest.mark.parametrize("role", ["auditor"])
def test_the_log_of_operations_tells_what_was_done_to_the_own_companies(
    role: str, limited_client: httpx.Client
) -> None:
    page = limited_client.get("/operations").text
    assert "Clínica Santa Águeda" in page
    assert "Gestoría Peñalver" not in page
    assert 'value="administrator"' not in page  # an option for the kind of object

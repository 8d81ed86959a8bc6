"""The rate tester shows the price of an invented call, step by step, and stores nothing."""

import html
import re

from billing.log.store import Store
from tests.web.rates.test_rate_groups import PRICE, create, send
from tests.web.serving import SignIn, following

CALL = {"device": "clinica-pbx", "number": "0056912345678", "length": "3:20", "caller": "101"}


def test_a_call_is_rated_as_if_it_had_come_in(
    site: str, database_url: str, sign_in: SignIn
) -> None:
    client = sign_in(site)
    with following(database_url):
        group = create(client, "Mayorista")
        send(client, f"{group}/price", **PRICE)
        stopped = client.get("/rate-tester", params=CALL).text
        assert "No rate group" in stopped
        bound = {"group": group.rpartition("/")[2]}
        send(client, "/accounts/company:clinica/bind", **bound)
    before = len(Store(database_url).after(0, 10_000))
    page = html.unescape(client.get("/rate-tester", params=CALL).text)
    assert "€0.0417" in page
    assert "+56912345678" in page
    assert "The rate “Chile móvil” applies" in page
    assert "200 s at €0.0125 per 60 s" in page
    assert len(Store(database_url).after(0, 10_000)) == before


def test_a_calls_page_leads_to_the_tester_with_its_record(site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    call = re.search(r'href="(/calls/2[^"]+)"', client.get("/calls").text)
    assert call
    page = client.get(call[1]).text
    link = re.search(r'href="(/rate-tester[^"]+)"', page)
    assert link
    tester = client.get(html.unescape(link[1]))
    assert tester.status_code == 200
    assert "Step by step" in tester.text


def test_what_is_missing_or_wrong_is_said(site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    answer = client.get("/rate-tester", params={"device": "nowhere", "number": "1", "length": "x"})
    assert answer.status_code == 422
    assert "Write a duration" in answer.text

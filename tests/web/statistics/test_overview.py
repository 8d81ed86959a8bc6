"""The overview: today, this month, and what needs attention."""

import re
from html import unescape

from tests.web.calls.test_calls import total
from tests.web.serving import SignIn


def test_the_overview_leads_to_what_it_counts(site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    text = client.get("/").text
    found = re.findall(r'<dd><a href="(/calls[^"]+)">([\d,]+)</a>', text)
    assert len(found) == 2
    for link, number in found:
        assert total(client, unescape(link)) == int(number.replace(",", ""))
    for said in ("Low balances", "Devices not reporting", "Last submissions", "No rate"):
        assert said in text


def test_an_empty_installation_has_an_overview_too(empty_site: str, sign_in: SignIn) -> None:
    text = sign_in(empty_site).get("/").text
    assert "Nothing has been submitted yet." in text
    assert "No call is suspended." in text

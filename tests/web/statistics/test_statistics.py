"""The statistics pages: their figures, each of which links to exactly its calls."""

import re
from html import unescape

import httpx
import pytest

from tests.web.calls.test_calls import total
from tests.web.serving import SignIn

LINK = re.compile(r'href="(/calls\?[^"]+)"[^>]*>([\d,]+)<')
SENSELESS = (
    "by=nobody",
    "grain=year",
    "measure=profit",
    "from=1000-01-01",
    "from=1990-01-01&to=2026-01-01",
    "from=2026-02-01&to=2026-01-01",
    "company=" + "x" * 500,
)


def links(client: httpx.Client, address: str) -> list[tuple[str, int]]:
    """Return the numbers of calls on a page, with their links."""
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return [
        (unescape(link), int(number.replace(",", ""))) for link, number in LINK.findall(answer.text)
    ]


def test_every_number_of_calls_leads_to_exactly_these_calls(site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    followed = 0
    for query in ("", "&company=clinica&grain=hour", "&by=user&grain=week", "&by=gateway"):
        for link, number in links(client, f"/statistics?measure=calls{query}"):
            assert total(client, link) == number, link
            followed += 1
    assert followed > 60


def test_the_number_of_calls_ever_charged_leads_to_no_list_of_the_last_days(
    site: str, sign_in: SignIn
) -> None:
    client = sign_in(site)
    assert links(client, "/companies") == []
    assert links(client, "/accounts/company:clinica") == []
    text = client.get("/accounts/company:clinica").text
    assert re.search(r'href="/calls\?company=clinica">Last 30 days<', text)
    with_filter = client.get("/accounts/user:clinica-front").text
    assert "/calls?company=clinica" not in with_filter


def test_the_page_says_as_of_which_position_and_compares(site: str, sign_in: SignIn) -> None:
    text = sign_in(site).get("/statistics?from=2026-02-01&to=2026-03-31").text
    assert re.search(r"As of log position [\d,]+\.", text)
    dash = "\N{EN DASH}"
    assert f"1 Feb 2026 {dash} 31 Mar 2026, compared with 1 Dec 2025 {dash} 31 Jan 2026." in text
    assert "No calls were charged in this period" in text


def test_accounts_are_ranked_and_their_sum_is_the_total(site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    text = client.get("/statistics").text
    table = text[text.index('id="c4"') : text.index('id="c5"')]
    names = re.findall(r'<td class="co">\s*<a [^>]*>([^<]+)<', table)
    assert len(names) == 4
    assert names[0] == "Clínica Santa Águeda"
    users = client.get("/statistics?by=user&measure=calls").text
    assert "Recepción · Clínica Santa Águeda" in users


def test_what_makes_no_sense_is_refused(site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    for query in SENSELESS:
        assert client.get(f"/statistics?{query}").status_code == 400, query
    assert client.get("/statistics?by=user&account=user:nobody").status_code == 200


def test_destinations_beyond_the_first_are_added_up(
    site: str, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.web.statistics.statistics.AREAS", 2)
    text = sign_in(site).get("/statistics").text
    table = text[text.index('id="c5"') : text.index('id="c6"')]
    calls = re.findall(r'<td class="r n">(?:<a [^>]+>)?([\d,]+)', table)
    *rows, total_ = [int(number.replace(",", "")) for number in calls]
    assert "Other destinations" in table
    assert len(rows) == 3
    assert sum(rows) == total_ == 172


def test_a_company_shows_amounts_in_its_own_currency_only(site: str, sign_in: SignIn) -> None:
    text = sign_in(site).get("/statistics?currency=EUR").text
    row = text[text.index(">Editorial Miraflores S.A.C.<", text.index('id="c4"')) :]
    row = row[: row.index("</tr>")]
    assert "PEN" in row
    assert "€" not in row


def test_a_grain_that_is_too_fine_says_what_is_shown_instead(site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    said = "Hours are shown for at most 16 days; this period is shown in: Days."
    many, few = ("from=2026-02-01&to=2026-02-20", "from=2026-02-01&to=2026-02-16")
    assert said in " ".join(client.get(f"/statistics?{many}&grain=hour").text.split())
    assert "shown for at most" not in client.get(f"/statistics?{few}&grain=hour").text

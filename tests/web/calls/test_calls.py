"""The call list: filters, pages, totals; and the page of one call."""

import re
from urllib.parse import quote

import httpx
import psycopg
import pytest

from billing.aggregates.call import CallVoided, ConflictKept
from billing.aggregates.event import Envelope
from billing.log.store import Pending, Store
from tests.web.serving import SignIn, catch_up

ROW = re.compile(r'<td class="when"><a href="(/calls/[^"]+)">')


def rows(client: httpx.Client, address: str) -> list[str]:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return ROW.findall(answer.text)


def total(client: httpx.Client, address: str) -> int:
    text = client.get(address).text
    found = re.search(r"Total for this filter.*?([\d,]+) calls?", text, re.DOTALL)
    return int(found[1].replace(",", "")) if found else 0


def all_rows(client: httpx.Client, address: str) -> list[str]:
    """Return the rows of every page, following "Older"."""
    found: list[str] = []
    while True:
        text = client.get(address).text
        found += ROW.findall(text)
        older = re.search(r'rel="next" data-key="ArrowRight" href="([^"]+)"', text)
        if not older:
            return found
        address = older[1].replace("&amp;", "&")


def test_pages_follow_one_another_without_gap_or_repeat(shared_site: str, sign_in: SignIn) -> None:
    client = sign_in(shared_site)
    found = all_rows(client, "/calls")
    assert len(found) == len(set(found)) == 180
    first = client.get("/calls").text
    older = re.search(r'rel="next"[^>]* href="([^"]+)"', first)
    assert older
    second = client.get(older[1].replace("&amp;", "&")).text
    newer = re.search(r'rel="prev"[^>]* href="([^"]+)"', second)
    assert newer
    back = client.get(newer[1].replace("&amp;", "&")).text
    assert ROW.findall(back) == ROW.findall(first)
    assert 'rel="prev"' not in back, "there is nothing newer than the newest"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", 180),
        ("class=local", 60),
        ("class=special&result=answered", None),
        ("company=clinica", 90),
        ("company=nobody", 0),
        ("device=hoteles-pbx", 30),
        ("result=no_answer", None),
        ("status=suspended", 8),
        ("status=rated", 172),
        ("status=conflict", 0),
        ("status=voided", 0),
        ("q=%2B34914230628", 30),
        ("q=91 423-06", 30),
        ("q=101", 20),
        ("q=%25", 0),
        ("from=2020-01-01&to=2020-01-31", 0),
        ("from=2020-01-01", 180),
        ("class=local&company=clinica&status=rated", None),
    ],
)
def test_the_total_is_of_exactly_the_calls_listed(
    query: str, expected: int | None, shared_site: str, sign_in: SignIn
) -> None:
    client = sign_in(shared_site)
    listed = len(all_rows(client, f"/calls?{query}"))
    assert total(client, f"/calls?{query}") == listed
    assert listed == expected or (expected is None and listed > 0)


def test_amounts_of_several_currencies_are_never_added_up(
    database_url: str, site: str, sign_in: SignIn
) -> None:
    with psycopg.connect(database_url) as connection:
        sums: dict[str, int] = dict(
            connection.execute(
                "select currency, sum(amount_micros) from call_list"
                " where status = 'rated' group by 1"
            ).fetchall()
        )
    text = sign_in(site).get("/calls").text
    footer = text[text.index("<tfoot") : text.index("</tfoot")]
    assert f"€{sums['EUR'] / 1_000_000:.2f}" in footer
    assert f"PEN\N{NO-BREAK SPACE}{sums['PEN'] / 1_000_000:.2f}" in footer


def test_counted_totals_agree_with_the_roll_ups(shared_site: str, sign_in: SignIn) -> None:
    client = sign_in(shared_site)
    rolled_up = client.get("/calls?class=national").text
    counted = client.get("/calls?class=national&q=44").text
    cut = slice(rolled_up.index("<tfoot"), rolled_up.index("</tfoot"))
    assert rolled_up[cut] == counted[counted.index("<tfoot") : counted.index("</tfoot")]


@pytest.mark.parametrize(
    "query",
    ["class=x", "result=x", "status=x", "from=x", "to=20266-01-01", "from=2026-02-30",
     "from=2026-02-02&to=2026-02-01", "after=x", "before=%7B", "after=WzFd"],
)  # fmt: skip
def test_an_address_that_makes_no_sense_says_so(
    query: str, shared_site: str, sign_in: SignIn
) -> None:
    answer = sign_in(shared_site).get(f"/calls?{query}")
    assert answer.status_code == 400
    assert "This request could not be understood" in answer.text


def test_unanswered_calls_show_a_dash_and_free_ones_a_zero(
    shared_site: str, sign_in: SignIn
) -> None:
    client = sign_in(shared_site)
    assert "€0.0000" in client.get("/calls?class=internal&result=answered&company=clinica").text
    busy = client.get("/calls?result=busy&status=rated").text
    body = busy[busy.index("<tbody") : busy.index("</tbody")]
    assert "0:00:00" not in body
    assert "€" not in body


def test_suspended_calls_say_why(shared_site: str, sign_in: SignIn) -> None:
    text = sign_in(shared_site).get("/calls?status=suspended").text
    assert text.count("No rate<span") == 8


def test_a_part_of_the_page_comes_alone_for_htmx(shared_site: str, sign_in: SignIn) -> None:
    headers = {"hx-request": "true", "hx-request-type": "partial"}
    text = sign_in(shared_site).get("/calls?class=local", headers=headers).text
    assert "<html" not in text
    assert len(ROW.findall(text)) == 50


def test_an_empty_list_says_what_was_searched(shared_site: str, sign_in: SignIn) -> None:
    text = sign_in(shared_site).get("/calls?q=99999999").text
    assert "No calls match these filters" in text
    assert re.search(r"Nothing was found between \d+ \w+ \d+ and \d+ \w+ \d+\.", text)


def test_local_days_are_half_open(database_url: str, site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    with psycopg.connect(database_url) as connection:
        days: dict[str, int] = dict(
            connection.execute(
                "select (started_at at time zone 'Europe/Madrid')::date::text, count(*)"
                " from call_list group by 1"
            ).fetchall()
        )
    for day, count in days.items():
        assert total(client, f"/calls?from={day}&to={day}") == count


def test_a_call_tells_its_story(shared_site: str, sign_in: SignIn) -> None:
    client = sign_in(shared_site)
    text = client.get(rows(client, "/calls?company=clinica&class=local")[0]).text
    for said in (
        "Clínica Santa Águeda",
        "Centralita Clínica",
        "192.0.2.17",
        "CallRated.1",
        "Extension 101 belongs to Recepción.",
        "Class of the call: Local.",
        "Connect fee: €0.05.",
        "17 s at €0.018 per 60 s, in steps of 1 s.",
        "Rounded once, to 4 decimals (half up, commercial): €0.1234.",
        "&lt;b&gt;=1+1",
    ):
        assert said in text
    assert "<b>=1+1" not in text


def test_a_suspended_call_says_where_it_stopped(shared_site: str, sign_in: SignIn) -> None:
    client = sign_in(shared_site)
    text = client.get(rows(client, "/calls?status=suspended")[0]).text
    assert "Rating stopped here: No rate." in text


@pytest.mark.parametrize(
    "call_id",
    ["nothing", "2026-11:a:b", "a/b|c:d", "%00", "é" * 10, "x" * 600, "../../etc/passwd", "%2e%2e"],
)
def test_a_call_that_is_not_there_is_not_found(
    call_id: str, empty_site: str, sign_in: SignIn
) -> None:
    answer = sign_in(empty_site).get("/calls/" + quote(call_id, safe="%"))
    assert answer.status_code == 404


def test_conflicts_and_voids_are_shown(database_url: str, site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    address = rows(client, "/calls?class=local&status=rated")[0]
    store = Store(database_url)
    stream = "call:" + httpx.URL(address).path.removeprefix("/calls/")
    first = store.load(stream)[0]
    event, envelope = first.event, Envelope(recorded_at=first.envelope.recorded_at, actor="system")
    kept = ConflictKept(
        filed_at=event.filed_at,  # type: ignore[attr-defined]
        source="native",
        cdr=event.cdr,  # type: ignore[attr-defined]
        digest="other",
        raw="<cdr><a>1</a></cdr>",
    )
    voided = CallVoided(
        reason="sent twice",
        filed_at=event.filed_at,  # type: ignore[attr-defined]
        device_id=event.device_id,  # type: ignore[attr-defined]
        cdr=event.cdr,  # type: ignore[attr-defined]
        rating=event.rating,  # type: ignore[attr-defined]
    )
    store.append([Pending(stream, 2, kept, envelope), Pending(stream, 3, voided, envelope)])
    catch_up(database_url, store)
    store.close()
    text = client.get(address).text
    assert "Voided: sent twice" in text
    assert "Another record arrived with the same key" in text
    assert "&lt;a&gt;1&lt;/a&gt;" in text
    assert rows(client, "/calls?status=voided") == [address]
    assert rows(client, "/calls?status=conflict") == [address]
    assert total(client, "/calls") == 180
    assert total(client, "/calls?q=") == 180

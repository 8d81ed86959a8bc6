"""Every filter of the call list: its calls, and the equal total."""

import re

import httpx

from billing.queries.call_filter import CONDITIONS, CallFilter
from billing.web.calls.filters import FILTERS, NAMES
from tests.web.calls.test_calls import all_rows, total
from tests.web.serving import SignIn, add_administrator

FOUND = {  # None: some; "?": depends on the time of day
    "status=charged": 172,
    "status=charged&result=answered&class=local": None,
    "user=user:clinica-front": None,
    "user=user:clinica-front&company=clinica&status=charged": None,
    "user=user:clinica-front&company=hoteles": 0,
    "user=*&company=hoteles": 0,
    "user=*&company=clinica": 20,
    "user=-": None,
    "gateway=*": 0,
    "gateway=gateway:none": 0,
    "gateway=-&device=hoteles-pbx": 30,
    "company=clinica&device=hoteles-pbx": 0,
    "extension=101": 20,
    "area=Madrid": 60,
    "area=Madrid&status=charged&company=clinica": None,
    "area=-": None,
    "area=-&class=internal": None,
    "q=%2B3491&match=begins": 60,
    "q=3491&match=begins": 60,
    "q=91&match=begins": 0,
    "q=0628&match=ends": 30,
    "q=_628&match=ends": 0,
    "q=.*": 0,
    "least=0.1&most=0,5": None,
    "most=-1": 0,
    "currency=PEN": None,
    "hour=0&weekday=1": "?",
    "hour=12": "?",
}
SENSELESS = (
    "from=1970-01-01",
    "q=" + "9" * 5_000,
    "q=%00",
    "hour=24",
    "weekday=0",
    "match=regex",
    "least=x",
    "least=2&most=1",
    "least=" + "9" * 60,
    "user=" + "u" * 101,
)


def test_every_filter_lists_what_its_total_says(shared_site: str, sign_in: SignIn) -> None:
    client = sign_in(shared_site)
    for query, expected in FOUND.items():
        listed = len(all_rows(client, f"/calls?{query}"))
        assert total(client, f"/calls?{query}") == listed, query
        assert expected in (listed, "?") or (expected is None and listed > 0), query


def test_the_hours_of_the_day_hold_every_call_once(shared_site: str, sign_in: SignIn) -> None:
    client = sign_in(shared_site)
    for name, values in (("hour", range(24)), ("weekday", range(1, 8))):
        sums = [total(client, f"/calls?status=charged&{name}={value}") for value in values]
        assert sum(sums) == 172


def test_what_makes_no_sense_is_refused(shared_site: str, sign_in: SignIn) -> None:
    client = sign_in(shared_site)
    for query in SENSELESS:
        answer = client.get(f"/calls?{query}")
        assert answer.status_code == 400, query
        assert "This request could not be understood" in answer.text


def test_every_filter_has_an_address_an_input_and_a_condition(
    shared_site: str, sign_in: SignIn
) -> None:
    fields = set(CallFilter.__struct_fields__) - {"reach", "period", "zone"}
    assert {each.field for each in FILTERS} == fields
    assert set(CONDITIONS) == fields - {"text", "match", "company_id"}, "these are in where_calls"
    text = sign_in(shared_site).get("/calls").text
    for name in NAMES:
        assert f'name="{name}"' in text, name


def test_a_filter_is_kept_under_a_name_for_oneself(
    database_url: str, site: str, sign_in: SignIn
) -> None:
    add_administrator(database_url, "otra")
    client, other = sign_in(site), sign_in(site, "otra")
    form = {"name": "=Local <b>", "query": "class=local&after=x&q=91", "csrf": csrf(client)}
    answer = client.post("/calls/views", data=form)
    assert answer.headers["location"] == "/calls?class=local&q=91"
    assert "=Local &lt;b&gt;" in client.get("/calls").text
    assert "=Local" not in other.get("/calls").text
    nameless = client.post("/calls/views", data={**form, "name": " "})
    assert nameless.status_code == 400
    client.post("/calls/views/remove", data=form)
    assert "=Local" not in client.get("/calls").text


def csrf(client: httpx.Client) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/calls").text)
    assert found
    return found[1]

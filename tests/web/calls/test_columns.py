"""The columns of the call list: chosen, put in order, stored for each administrator."""

import re

import httpx

from billing.web.calls.columns import COLUMNS, USUAL
from tests.web.calls.test_calls import rows, total
from tests.web.calls.test_filters import csrf
from tests.web.serving import SignIn, add_administrator

HEADS = re.compile(r'<th scope="col"[^>]*>(?:<span>)?([^<]+?)\s*<')


def heads(client: httpx.Client, query: str = "") -> list[str]:
    text = client.get(f"/calls{query}").text
    return HEADS.findall(text[text.index("<thead") : text.index("</thead")])


def choose(client: httpx.Client, *names: str, **more: str) -> httpx.Response:
    order = [*names, *(name for name in COLUMNS if name not in names)]
    data = {"order": order, "show": list(names), "csrf": csrf(client), **more}
    return client.post("/calls/columns", data=data)


def test_columns_are_chosen_in_an_order_and_remembered(
    database_url: str, site: str, sign_in: SignIn
) -> None:
    add_administrator(database_url, "otra")
    client, other = sign_in(site), sign_in(site, "otra")
    usual = heads(client)
    answer = choose(client, "amount", "caller", "flags", "user", "reason", query="class=local&x=1")
    assert answer.headers["location"] == "/calls?class=local"
    chosen = ["Date and time", "Amount", "Caller", "Flags", "User account", "Reason"]
    assert heads(client, "?class=local") == chosen
    assert heads(sign_in(site)) == chosen, "of the administrator, not of the browser"
    assert heads(other) == usual
    assert len(rows(client, "/calls?class=local")) == 50
    assert total(client, "/calls?class=local") == 60
    assert choose(client, "amount", usual="yes").status_code == 303
    assert heads(client) == usual


def test_every_column_can_be_shown_at_once(site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    choose(client, *COLUMNS)
    assert len(heads(client)) == len(COLUMNS) + 1
    text = client.get("/calls").text
    for said in ("Outbound", "Longer than a day", "Recepción", "Rated", "No rate"):
        assert said in text, said


def test_a_column_moves_without_scripts_before_anything_is_kept(site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    answer = choose(client, *USUAL, move="up:amount")
    found = re.findall(r'name="order" value="(\w+)"', answer.text)
    assert found[: len(USUAL)] == [*USUAL[:-2], "amount", USUAL[-2]]
    assert set(re.findall(r'name="show" value="(\w+)" checked', answer.text)) == set(USUAL)
    assert heads(client)[-1] == "Amount"


def test_what_is_no_column_is_left_out(site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    data = {"order": ["<b>", "amount", "amount"], "show": ["<b>", "amount"], "csrf": csrf(client)}
    assert client.post("/calls/columns", data=data).status_code == 303
    assert heads(client) == ["Date and time", "Amount"]
    assert choose(client, query="q=" + "9" * 10_000).status_code == 303
    assert len(heads(client)) == len(USUAL) + 1, "none chosen: the usual ones"
    assert client.post("/calls/columns", data={"move": "up:amount"}).status_code == 403

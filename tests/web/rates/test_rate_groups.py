"""Rate groups and prices on pages: created, copied, compared, changed, and their past."""

import html
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.web.serving import SignIn, add_administrator, following

PRICE = {
    "kind": "p",
    "value": "+56 9",
    "name": "Chile móvil",
    "t0_after": "0",
    "t0_price": "0,0125",
    "t0_unit": "60",
    "t0_step": "1",
    "decimals": "4",
    "rounding": "half_up",
    "band_policy": "start",
}


def send(client: httpx.Client, path: str, **data: str) -> httpx.Response:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/rate-groups/new").text)
    assert found
    return client.post(path, data={"csrf": found[1], **data})


def create(client: httpx.Client, name: str, **data: str) -> str:
    answer = send(client, "/rate-groups/new", name=name, currency="EUR", **data)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def test_a_group_is_created_with_its_defaults_and_a_price_has_a_history(
    site: str, database_url: str, sign_in: SignIn
) -> None:
    client = sign_in(site)
    with following(database_url):
        group = create(client, "Mayorista")
        created = client.get(group).text
        assert {"Local", "Internal"} <= set(re.findall(r">(\w+)</a></td>", created))
        assert re.findall(r'<td class="num dim">(\w+)</td>', created) == ["Internal", "Local"]
        assert send(client, f"{group}/price", **PRICE).status_code == 303
        later = (datetime.now(UTC) + timedelta(days=40)).date().isoformat()
        dearer = {**PRICE, "effective_from": later, "t0_price": "0.03"}
        answer = send(client, f"{group}/price", **dearer)
        page = client.get(answer.headers["location"]).text
    assert "planned" in page
    assert "in force" in page
    assert "Marta Ruiz" in page
    assert "€0.0125" in client.get(f"{group}/history?target=p:569&on=2026-03-03").text
    assert "€0.03" in client.get(f"{group}/history?target=p:569&on={later}").text
    assert "Chile móvil" in client.get(f"{group}?q=569").text
    assert "No price matches" in client.get(f"{group}?q=57").text


def test_a_wrong_form_says_what_is_wrong_beside_the_field(
    site: str, database_url: str, sign_in: SignIn
) -> None:
    client = sign_in(site)
    with following(database_url):
        group = create(client, "Mayorista")
    wrong = {**PRICE, "t0_price": "-1", "t0_step": "0", "min_cost": "x"}
    answer = send(client, f"{group}/price", **wrong)
    assert answer.status_code == 422
    assert "be negative." in answer.text
    assert "a whole number from 1" in answer.text
    assert "is not a price" in answer.text
    bands = {"t0_price": "1", "t0_step": "60", "t0_unit": "60"}
    overlapping = dict(PRICE)
    for place, name in enumerate(("noche", "tarde")):
        overlapping |= {f"b{place}_{key}": value for key, value in bands.items()}
        overlapping |= {f"b{place}_name": name, f"b{place}_from": "20:00", f"b{place}_to": "08:00"}
    assert "overlap" in send(client, f"{group}/price", **overlapping).text


def test_the_example_is_told_while_the_form_is_filled(
    site: str, database_url: str, sign_in: SignIn
) -> None:
    client = sign_in(site)
    with following(database_url):
        group = create(client, "Mayorista")
    told = send(client, f"{group}/example", **PRICE, example_length="3:20").text
    assert "A call of 3 min 20 s on Tuesday" in told
    assert "€0.0417" in told


def test_a_copy_has_the_prices_and_two_groups_are_compared(
    site: str, database_url: str, sign_in: SignIn
) -> None:
    client = sign_in(site)
    with following(database_url):
        one = create(client, "Uno")
        send(client, f"{one}/price", **PRICE)
        other = create(client, "Dos", original=one.rpartition("/")[2])
        ids = {"one": one.rpartition("/")[2], "other": other.rpartition("/")[2]}
        assert "All prices are equal" in client.get("/rate-groups/compare", params=ids).text
        send(client, f"{other}/price", **{**PRICE, "t0_price": "0.015"})
        page = client.get("/rate-groups/compare", params=ids).text
    assert "€0.0025" in page
    assert "20.0 %" in page


@pytest.mark.parametrize("role", ["operator", "auditor"])
def test_only_administrators_change_prices(
    site: str, database_url: str, sign_in: SignIn, role: str
) -> None:
    add_administrator(database_url, "otto", role)
    client = sign_in(site, "otto")
    assert client.get("/rate-groups").status_code == 200
    assert client.get("/rate-groups/new").status_code == 403


def test_a_price_ends_or_is_taken_out_and_a_group_in_use_stays(
    site: str, database_url: str, sign_in: SignIn
) -> None:
    client = sign_in(site)
    with following(database_url):
        group = create(client, "Mayorista")
        send(client, f"{group}/price", **PRICE)
        send(client, f"{group}/end", target="p:569", **{"from": "2026-01-01"})
        assert "No price matches" in client.get(f"{group}?q=569").text
        since = "2025-12-31T23:00:00+00:00"
        send(client, f"{group}/remove", target="p:569", since=since)
        assert "Chile móvil" in client.get(f"{group}?q=569").text
        bind = {"group": group.rpartition("/")[2]}
        send(client, "/accounts/company:clinica/bind", **bind)
        answer = send(client, f"{group}/delete")
        assert answer.headers["location"] == group
        assert "can&#39;t be deleted" in client.get(group).text


def test_the_log_of_operations_tells_what_a_price_was_and_is(
    site: str, database_url: str, sign_in: SignIn
) -> None:
    client = sign_in(site)
    later = (datetime.now(UTC) + timedelta(days=40)).date().isoformat()
    with following(database_url):
        group = create(client, "Mayorista")
        send(client, f"{group}/price", **PRICE)
        second = {**PRICE, "effective_from": later, "t0_price": "1.2", "t0_unit": "3600"}
        send(client, f"{group}/price", **second)
        since = re.findall(
            r'name="since" value="([^"]+)"', client.get(f"{group}/history?target=p:569").text
        )
        send(client, f"{group}/remove", target="p:569", since=since[0])
        send(client, f"{group}/end", target="p:569", **{"from": later})
        bind = {"group": group.rpartition("/")[2], "reason": "-"}
        send(client, "/accounts/company:clinica/bind", **bind)
        page = client.get("/operations").text
    shown = html.unescape(page)
    assert "Chile móvil (+569): €0.0125 a minute from the beginning, new" in shown
    assert re.search(r"Chile móvil \(\+569\): €0.0125 a minute → €1.20 an hour from \d", shown)
    assert re.search(r"Chile móvil \(\+569\): the price from \d+ \w+ \d+ was removed", shown)
    assert re.search(r"Chile móvil \(\+569\): €0.0125 a minute → no price from \d", shown)
    assert "rates: 1" not in shown
    assert f'href="{group}">Mayorista</a>' in shown
    assert "rate group: Mayorista" in shown


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"t0_price": "99999999999999"}, "exceed 1000000."),
        ({"connect_fee": "1000001"}, "exceed 1000000."),
        ({"value": "9" * 19}, "a prefix has at most 18 digits"),
        ({"effective_from": "0001-01-01"}, "is not a date"),
        ({"effective_from": "9999-12-31"}, "is not a date"),
        (
            {"t1_after": "0", "t1_price": "1", "t1_step": "1"},
            "each tier must begin after the one before",
        ),
    ],
)
def test_a_price_that_no_read_model_could_keep_is_refused(
    site: str, database_url: str, sign_in: SignIn, changes: dict[str, str], said: str
) -> None:
    client = sign_in(site)
    with following(database_url):
        group = create(client, "Mayorista")
    answer = send(client, f"{group}/price", **(PRICE | changes))
    assert (answer.status_code, said in answer.text) == (422, True)


def test_what_no_database_keeps_is_left_out_of_a_form(
    site: str, database_url: str, sign_in: SignIn
) -> None:
    client = sign_in(site)
    with following(database_url):
        group = create(client, "May\0orista")
        assert send(client, f"{group}/price", **{**PRICE, "name": "Chi\0le"}).status_code == 303
        assert "Mayorista" in client.get(group).text
        assert "Chile" in client.get(group).text

"""The companies and devices pages, also when they are empty."""

import httpx
import psycopg
import pytest

from tests.web.serving import SignIn


def names(client: httpx.Client, address: str) -> list[str]:
    text = client.get(address).text
    return [part.split(">", 1)[1].split("<")[0] for part in text.split('<td class="co"><a ')[1:]]


def test_companies_are_listed_by_name_with_their_balance(site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    assert names(client, "/companies") == [
        "Clínica Santa Águeda",
        "Editorial Miraflores S.A.C.",
        "Gestoría Peñalver",
        "Hoteles Costa Esmeralda",
    ]
    assert names(client, "/companies?q=costa") == ["Hoteles Costa Esmeralda"]
    assert names(client, "/companies?state=frozen") == ["Gestoría Peñalver"]
    text = client.get("/companies").text
    assert "4 companies" in text
    assert "PEN\N{NO-BREAK SPACE}" in text


def test_devices_tell_when_they_sent_last(site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    assert len(names(client, "/devices")) == 4
    assert names(client, "/devices?company=hoteles") == ["Centralita Hoteles"]
    assert names(client, "/devices?q=asterisk&state=enabled") == names(client, "/devices")
    assert names(client, "/devices?state=disabled") == []
    text = client.get("/devices").text
    assert "status=suspended" in text
    assert "4 devices" in text


def test_long_lists_are_paged_by_name(database_url: str, empty_site: str, sign_in: SignIn) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "insert into accounts select 'company:' || n, 'company', n::text, 'Company ' ||"
            " lpad(n::text, 3, '0'), 'EUR', true, 'open', 'UTC', '', 'prepaid', now()"
            " from generate_series(1, 120) n"
        )
    client, address, found = sign_in(empty_site), "/companies", list[str]()
    for _ in range(3):
        found += names(client, address)
        parts = client.get(address).text.split('rel="next" data-key="ArrowRight" href="')
        address = parts[1].split('"')[0] if len(parts) > 1 else ""
    assert address == ""
    assert found == [f"Company {number:03}" for number in range(1, 121)]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/calls", "No calls match these filters"),
        ("/companies", "There are no companies yet"),
        ("/companies?q=x", "No companies match these filters"),
        ("/devices", "There are no devices yet"),
        ("/devices?q=x", "No devices match these filters"),
    ],
)
def test_empty_lists_say_so_and_lead_on(
    address: str, said: str, empty_site: str, sign_in: SignIn
) -> None:
    text = sign_in(empty_site).get(address).text
    assert said in text
    assert 'class="btn' in text[text.index(said) :]

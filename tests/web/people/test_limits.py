"""Limits on the administrators' pages: set, changed, removed; the last one can't be limited."""

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.web.kit.test_access import csrf_of
from tests.web.serving import SignIn, following

Fields = dict[str, str | list[str]]
NURIA: Fields = {"name": "Nuria Gil", "role": "administrator", "language": "es"}


@pytest.fixture
def client(database_url: str, site: str, sign_in: SignIn) -> Iterator[httpx.Client]:
    """A client of marta, on an installation with companies and running read models."""
    with following(database_url):
        yield sign_in(site)


def post(client: httpx.Client, path: str, fields: Fields) -> httpx.Response:
    return client.post(path, data={"csrf": csrf_of(client), **fields})


def add(client: httpx.Client, **fields: str | list[str]) -> str:
    """Add Nuria; return the URL of her page."""
    answer = post(client, "/administrators/new", {**NURIA, "sign_in_name": "nuria", **fields})
    assert answer.status_code == 200, answer.text
    found = re.search(r'(/administrators/[^"]+)"><b>nuria<', client.get("/administrators").text)
    assert found
    return found[1]


def chosen(client: httpx.Client, path: str) -> list[str]:
    return re.findall(r'name="companies" value="([^"]+)" checked', client.get(path).text)


def test_companies_are_named_by_name_or_id_and_taken_out_again(client: httpx.Client) -> None:
    own = add(client, reach="some", added=["hoteles costa esmeralda", "clinica", ""])
    assert chosen(client, own) == ["clinica", "hoteles"]
    assert "2 companies" in client.get("/administrators").text
    answer = post(client, own, {**NURIA, "reach": "some", "companies": ["hoteles"]})
    assert answer.status_code == 303
    assert chosen(client, own) == ["hoteles"]
    assert post(client, own, {**NURIA, "reach": "all", "companies": ["hoteles"]}).is_redirect
    assert chosen(client, own) == []
    log = client.get("/operations?kind=administrator").text
    for said in (
        "companies: Clínica Santa Águeda, Hoteles Costa Esmeralda",
        "Clínica Santa Águeda, Hoteles Costa Esmeralda → Hoteles Costa Esmeralda",
        "companies: Hoteles Costa Esmeralda → all companies",
    ):
        assert said in log, said


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"reach": "some"}, "Choose at least one company."),
        ({"reach": "some", "added": ["Nobody Ltd"]}, "There is no company “Nobody Ltd”."),
        ({"reach": "some", "companies": ["nobody"]}, "There is no company “nobody”."),
        ({"added": ["clinica"]}, "Choose one of these."),
    ],
)
def test_a_limit_that_is_not_understood_is_never_taken_for_none(
    client: httpx.Client, fields: Fields, said: str
) -> None:
    own = add(client, reach="some", added=["clinica"])
    answer = post(client, own, {**NURIA, **fields})
    assert answer.status_code == 422
    assert said in answer.text
    assert chosen(client, own) == ["clinica"]


def test_two_companies_of_one_name_are_told_apart_by_their_ids(client: httpx.Client) -> None:
    form: Fields = {
        "name": "Clínica Santa Águeda",
        "currency": "EUR",
        "time_zone": "Europe/Madrid",
        "payment": "prepaid",
        "credit_limit": "",
    }
    assert post(client, "/companies/new", form).is_redirect
    fields: Fields = {**NURIA, "sign_in_name": "nuria", "reach": "some"}
    answer = post(client, "/administrators/new", {**fields, "added": ["Clínica Santa Águeda"]})
    assert "Several companies are named Clínica Santa Águeda." in answer.text
    assert chosen(client, add(client, reach="some", added=["clinica"])) == ["clinica"]


def test_companies_are_suggested_by_part_of_their_name(client: httpx.Client) -> None:
    assert client.get("/administrators/companies?added=costa").text.strip() == (
        '<option value="Hoteles Costa Esmeralda"></option>'
    )


def test_the_last_who_is_not_limited_stays_so(client: httpx.Client) -> None:
    marta = "/administrators/marta"
    limit: Fields = {**NURIA, "reach": "some", "added": ["clinica"]}
    own = add(client, reach="some", added=["clinica"])
    answer = post(client, marta, limit)
    assert answer.status_code == 422
    assert "The last administrator can&#39;t be limited to companies." in answer.text
    assert post(client, f"{marta}/enabled", {"enabled": "no"}).status_code == 400
    assert post(client, own, {**NURIA, "reach": "all"}).is_redirect
    assert post(client, marta, limit).is_redirect
    assert client.get("/administrators").status_code == 403

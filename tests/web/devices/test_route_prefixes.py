"""Route prefixes on pages: set in their order, refused, and tested with a number."""

import re

import httpx

from tests.web.serving import SignIn, following

PAGE = "/devices/clinica-pbx/prefixes"


def set_rules(client: httpx.Client, page: str, *rules: tuple[str, str]) -> httpx.Response:
    token = re.findall(r'X-CSRF-Token":"([^"]+)', client.get("/calls").text)[0]
    fields = {"csrf": token}
    for place, (prefix, replacement) in enumerate(rules, 1):
        fields |= {
            f"order_{place}": str(place),
            f"prefix_{place}": prefix,
            f"replacement_{place}": replacement,
            f"min_rest_{place}": "9",
            f"max_rest_{place}": "15",
        }
    return client.post(page, data=fields)


def test_rules_are_set_and_a_number_shows_what_became_of_each(
    site: str, sign_in: SignIn, database_url: str
) -> None:
    with following(database_url):
        client = sign_in(site)
        assert set_rules(client, PAGE, ("8", ""), ("9", "")).status_code == 303
        assert set_rules(client, "/route-prefixes", ("77", "")).status_code == 303
        text = client.get(f"{PAGE}?number=9914230628").text
        assert "The number does not begin with it" in text
        assert text.count('s-rated">Applied') == 1
        assert "Not tried: an earlier one applied" in text
        assert "+34914230628" in text
        text = client.get("/route-prefixes?device=clinica-pbx&number=77914230628").text
        assert "+34914230628" in text


def test_rules_that_make_no_sense_are_refused(site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    for rules, said in (
        ([("9", "9")], "begin with its own prefix"),
        ([("9", ""), ("9", "0")], "appears twice"),
        ([("x", "")], "digits only"),
    ):
        answer = set_rules(client, PAGE, *rules)
        assert (answer.status_code, said in answer.text) == (422, True)

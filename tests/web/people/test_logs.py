"""The logs contain every operation and every sign-in."""

from datetime import UTC, datetime

import httpx
import msgspec
import psycopg
import pytest

from billing.aggregates.events import TOPICS, UPCASTS, current_topic
from billing.projections.operations import HIDDEN
from billing.web.kit import words
from billing.web.people.operation_words import FIELDS
from tests.projections.test_operations import OF_CALLS
from tests.web.accounts.test_accounts import CLINIC, post, read_back
from tests.web.serving import PASSWORD, SignIn, add_administrator, following

FORBIDDEN = {"password", "password_hash", "pin", "token", "secret", "key"}


@pytest.mark.parametrize("topic", sorted({**TOPICS, **UPCASTS}))
def test_every_event_has_words_and_none_has_a_secret(topic: str) -> None:
    assert topic.partition(".")[0] in words.EVENTS
    kind = UPCASTS[topic].old if topic in UPCASTS else TOPICS[topic]
    fields = {field.name for field in msgspec.structs.fields(kind)} - HIDDEN
    assert not fields & FORBIDDEN
    if TOPICS[current_topic(topic)] not in OF_CALLS:
        assert fields <= set(FIELDS), "the log of operations has no word for it"


def test_what_was_done_is_told_with_what_was_before(
    database_url: str, site: str, sign_in: SignIn
) -> None:
    with following(database_url):
        client = sign_in(site)
        for limit in ("100", "250,50"):
            fields = {"credit_limit": limit, "seen": "99"}
            assert post(client, f"{CLINIC}/limits", **fields).status_code == 303
        page = client.get("/operations?kind=company&actor=administrator:marta").text
    assert "Limits set" in page
    assert "credit limit: €100.00 → €250.50" in page
    assert "2 rows" in page
    book = read_back(client, "/operations/export.xlsx?q=santa")
    details = [row[5] for row in book.worksheets[0].iter_rows(min_row=2, values_only=True)]
    assert "credit limit: €100.00 → €250.50" in details


def test_who_came_in_was_refused_and_left_is_told(
    database_url: str, empty_site: str, sign_in: SignIn
) -> None:
    for name, password in (("marta", "wrong"), ("nobody", PASSWORD)):
        form = {"name": name, "password": password}
        httpx.post(f"{empty_site}/sign-in", data=form, headers={"origin": empty_site})
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "insert into sessions values ('x', 'marta', '', now(), now(), %s, '192.0.2.7', 'old')",
            (datetime(2026, 11, 1, tzinfo=UTC),),
        )
    client = sign_in(empty_site)
    page = client.get("/sign-ins").text
    for said in ("Wrong password", "Nobody has this name", "Signed in"):
        assert said in page, said
    assert "192.0.2.7" in client.get("/sign-ins?from=2026-11-01&to=2026-11-01&kind=expired").text
    assert "Wrong password" in client.get("/sign-ins/export.csv").text


def test_operators_do_not_read_the_logs(
    database_url: str, empty_site: str, sign_in: SignIn
) -> None:
    add_administrator(database_url, "olga", "operator")
    client = sign_in(empty_site, "olga")
    assert client.get("/operations").status_code == 403
    assert client.get("/sign-ins").status_code == 403

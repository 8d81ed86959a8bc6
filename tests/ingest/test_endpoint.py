"""The submission interface over real HTTP: access, storage, responses."""

import asyncio
import gzip
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import psycopg
import pytest

from billing.aggregates.device import DeviceChanged
from billing.cli.setup import said_here
from billing.commands import devices
from billing.ingest.batcher import FRESH_SECONDS
from billing.ingest.submission_log import FLUSH_SECONDS
from billing.log.store import Store
from tests.ingest.serving import ACCOUNT, PASSWORD, install, post_capture, record, served
from tests.reading.bodies import CAPTURES
from tests.trust import TRUST

PATH = "/v1/cdr"


@pytest.fixture
def url(database_url: str) -> Iterator[str]:
    install(database_url)
    with served(database_url) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, auth=(ACCOUNT, PASSWORD), timeout=30, verify=TRUST) as client:
        yield client


def calls(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select count(*) from billing_events where originator_id like 'call:%'"
        ).fetchone()
    assert row
    return int(row[0])


def statuses(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [result["status"] for result in response.json()["results"]]


def test_a_record_is_stored_before_the_response_and_recognised_when_repeated(
    client: httpx.Client, database_url: str
) -> None:
    first = client.post(PATH, content=record(1))
    assert statuses(first) == ["accepted"]
    assert first.headers["x-cdr-accepted"] == "1"
    stored = calls(database_url)
    assert stored == 1
    again = client.post(f"{PATH}/asterisk?uuid=1", content=record(1))
    assert statuses(again) == ["duplicate"]
    assert again.headers["x-cdr-duplicate"] == "1"
    assert calls(database_url) == stored


def test_a_batch_reports_each_record_in_order(client: httpx.Client, database_url: str) -> None:
    client.post(PATH, content=record(1))
    body = b"".join(
        (record(2), record(1), record(1, bill_ms=9_000), b'{"half": \n', record(3, dst="806123456"))
    )
    response = client.post(PATH, content=body)
    assert statuses(response)[:3] == ["accepted", "duplicate", "conflict"]
    assert response.json()["received"] == 5
    assert response.json()["results"][3]["reason"] == "unreadable"
    assert response.json()["errors"] is True
    stored = calls(database_url)
    again = client.post(PATH, content=body)
    assert statuses(again) == ["duplicate", "duplicate", "conflict", "duplicate", "duplicate"]
    assert calls(database_url) == stored  # the conflict was stored once


def test_the_same_key_twice_in_one_body_is_one_call(client: httpx.Client) -> None:
    assert statuses(client.post(PATH, content=record(1) * 2)) == ["accepted", "duplicate"]


def test_characters_that_no_text_column_can_hold_are_accepted(client: httpx.Client) -> None:
    nul = record(1, caller_name="a\x00b", src="10\x001", id="k\x00ey")
    long = record(2, id="x" * 5_000)
    assert statuses(client.post(PATH, content=nul + long)) == ["accepted", "accepted"]


def test_wrong_credentials_are_challenged_after_the_body_was_read(url: str) -> None:
    with httpx.Client(base_url=url) as client:
        for headers in (
            {},
            {"authorization": "Basic !!!"},
            {"authorization": "Bearer x"},
            {"authorization": "Basic bm9ib2R5Ong="},  # nobody:x
        ):
            response = client.post(PATH, content=record(1) * 50, headers=headers)
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == 'Basic realm="cdr"'


def test_guessing_is_slowed_down_but_a_known_device_is_admitted(
    client: httpx.Client, url: str
) -> None:
    assert statuses(client.post(PATH, content=record(1))) == ["accepted"]
    with httpx.Client(base_url=url, auth=(ACCOUNT, "guess"), timeout=60) as guesser:
        answers = [guesser.post(PATH, content=record(9)) for _ in range(14)]
    assert answers[0].status_code == 401
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0
    assert statuses(client.post(PATH, content=record(2))) == ["accepted"]


def test_a_device_registered_a_moment_ago_may_submit(
    client: httpx.Client, url: str, database_url: str
) -> None:
    client.post(PATH, content=record(1))
    install(database_url, "second", "second")
    response = httpx.post(url + PATH, content=record(1), auth=("second", PASSWORD))
    assert statuses(response) == ["accepted"]  # the same key from another device is another call


def test_a_disabled_device_and_a_foreign_ip_address_are_refused_with_the_reason(
    client: httpx.Client, store: Store, database_url: str
) -> None:
    client.post(PATH, content=record(1))
    said = said_here()
    change = DeviceChanged(
        name="pbx",
        time_zone="UTC",
        country="ES",
        area_code="91",
        allowed_addresses=("192.0.2.0/24",),
    )
    devices.change_device(store, devices.ChangeDevice(device_id="pbx", change=change), said)
    time.sleep(FRESH_SECONDS)
    foreign = client.post(PATH, content=record(2))
    assert (foreign.status_code, "127.0.0.1" in foreign.text) == (403, True)
    local = msgspec.structs.replace(change, allowed_addresses=("127.0.0.0/8",))
    devices.change_device(store, devices.ChangeDevice(device_id="pbx", change=local), said)
    assert statuses(client.post(PATH, content=record(2))) == ["accepted"]
    devices.disable_device(store, devices.DisableDevice(device_id="pbx", reason="sold"), said)
    time.sleep(FRESH_SECONDS)
    disabled = client.post(PATH, content=record(3))
    assert (disabled.status_code, "sold" in disabled.text) == (403, True)
    devices.enable_device(store, devices.EnableDevice(device_id="pbx"), said)
    assert statuses(client.post(PATH, content=record(3))) == ["accepted"]
    time.sleep(2 * FLUSH_SECONDS)
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "select status, device_id, accepted, detail from submissions order by id"
        ).fetchall()
    assert [row[:3] for row in found] == [
        (200, "pbx", 1),
        (403, "pbx", 0),
        (200, "pbx", 1),
        (403, "pbx", 0),
        (200, "pbx", 1),
    ]
    assert found[3][3] == "This device is disabled: sold"


def test_an_unacceptable_body_is_refused_with_a_message(client: httpx.Client) -> None:
    xml = b'<!DOCTYPE x [<!ENTITY a "b">]><cdr>&a;</cdr>'
    bomb = gzip.compress(b"\0" * (80 << 20))
    for body, headers, status in (
        (b"", {}, 400),
        (xml, {}, 400),
        (bomb, {}, 413),
        (record(1), {"content-encoding": "br"}, 415),
        (b"x" * (9 << 20), {}, 413),
        (b"".join(record(n) for n in range(5_001)), {}, 413),
    ):
        response = client.post(PATH, content=body, headers=headers)
        assert response.status_code == status
        assert response.json()["title"]


def test_gzip_and_a_wrong_content_type_are_accepted(client: httpx.Client) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    body = gzip.compress(record(1) + record(2))
    assert statuses(client.post(PATH, content=body, headers=headers)) == ["accepted"] * 2


def test_other_paths_and_methods_are_refused(client: httpx.Client) -> None:
    assert client.get(PATH).status_code == 405
    assert client.post("/v2/cdr").status_code == 404
    assert client.get("/healthz").text == "ok\n"


def test_without_the_database_nothing_is_acknowledged(
    client: httpx.Client, database_url: str
) -> None:
    assert statuses(client.post(PATH, content=record(1))) == ["accepted"]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("alter table billing_events rename to away")
        response = client.post(PATH, content=record(2))
        assert response.status_code == 503
        assert int(response.headers["retry-after"]) > 0
        connection.execute("alter table away rename to billing_events")
    assert statuses(client.post(PATH, content=record(2))) == ["accepted"]


def test_many_concurrent_clients_are_each_acknowledged_once(url: str, database_url: str) -> None:
    async def post_all() -> Counter[str]:
        async with httpx.AsyncClient(base_url=url, auth=(ACCOUNT, PASSWORD), timeout=60) as client:
            # Each record is sent twice, by different clients at the same time.
            posts = [client.post(PATH, content=record(n % 100)) for n in range(200)]
            answers = await asyncio.gather(*posts)
        return Counter(statuses(answer)[0] for answer in answers)

    assert asyncio.run(post_all()) == {"accepted": 100, "duplicate": 100}
    assert calls(database_url) == 100


def test_every_capture_is_accepted_and_its_repeat_changes_nothing(
    url: str, database_url: str
) -> None:
    captures = sorted(CAPTURES.glob("*/*.req"))
    unauthenticated = {"000.req", "008.req"}  # from Kamailio, which waits for the challenge

    def send(path: Path) -> tuple[int, list[str]]:
        status, body = post_capture(url, path)
        assert (status == 401) == (path.name in unauthenticated)
        return status, [result["status"] for result in json.loads(body).get("results", [])]

    for path in captures:
        _, found = send(path)
        assert len(found) == (0 if path.name in unauthenticated else 1)
        if path.parent.name == "kamailio" and found:
            assert found == ["suspended"]  # half of a dialog
        elif path.name == "xml-formencoded.req":
            assert found == ["duplicate"]  # of the call sent as JSON
        elif found:
            assert found == ["accepted"]
    stored = calls(database_url)
    for path in captures:
        assert set(send(path)[1]) <= {"duplicate"}
    assert calls(database_url) == stored


def test_every_captured_file_is_accepted(client: httpx.Client) -> None:
    expected = {"Master.csv": 11, "lab-Master.csv": 105, "master.jsonl": 11}
    for name, count in expected.items():
        body = (CAPTURES / "asterisk" / name).read_bytes()
        response = client.post(PATH, content=body)
        assert response.json()["received"] == count
    # The JSON lines are the calls of Master.csv; one of them is invalid JSON.
    found = Counter(statuses(response))
    assert found["duplicate"] >= 10


def test_the_price_is_that_of_the_rate(client: httpx.Client, database_url: str) -> None:
    response = client.post(PATH, content=record(1))
    store = Store(database_url)
    event = store.load("call:" + response.json()["results"][0]["cdr_id"])[0].event
    store.close()
    assert event.rating.amount_micros == 18_000  # type: ignore[attr-defined] # one minute at 0.018

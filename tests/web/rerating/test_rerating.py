"""Suspended calls and re-rating on pages: what waits, previews, and who may apply them."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from billing.aggregates.keeping import MonthArchived
from billing.commands.calls import SubmitCalls, submit
from billing.commands.catalogue import Catalogue
from billing.commands.keeping import archive_month
from billing.log.store import Store
from billing.rerating.worker import Worker
from tests.commands.test_calls import record
from tests.ingest.serving import install
from tests.rerating.test_steps import AUGUST
from tests.rerating.test_worker import FRANCE, SAID, set_price
from tests.web.serving import SignIn, add_administrator, following


@contextmanager
def rerating(url: str) -> Iterator[None]:
    """Run the corrections in a thread, as `billing serve` does."""
    stopping, store = threading.Event(), Store(url)
    worker = Worker(url, store, stopping)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(20)
        worker.close()
        store.close()


@pytest.fixture
def at_work(database_url: str, store: Store) -> Iterator[None]:
    """Three calls at 0.018 and one to a country without a rate; read models and worker run."""
    install(database_url)
    records = [record("f", called=FRANCE), *(record(f"k{number}") for number in range(3))]
    submit(store, Catalogue(), [SubmitCalls(device_id="pbx", records=records, envelope=SAID)])
    with following(database_url), rerating(database_url):
        yield


def post(client: httpx.Client, address: str, **fields: str) -> httpx.Response:
    page = client.get("/corrections").text
    token = re.findall(r'X-CSRF-Token":"([^"]+)', page)[0]
    return client.post(address, data={"csrf": token, **fields})


def ended(client: httpx.Client, address: str) -> str:
    """Return the page of a correction once it has ended."""
    for _ in range(400):
        text = client.get(address).text
        if "<progress" not in text:
            return text
    raise TimeoutError(text)


@pytest.mark.usefixtures("at_work")
def test_what_is_suspended_is_rated_again_from_its_page(
    empty_site: str, sign_in: SignIn, store: Store
) -> None:
    client = sign_in(empty_site)
    ended(client, "/suspended")
    for _ in range(200):
        text = client.get("/suspended").text
        if "No rate" in text:
            break
    assert "Add a rate for these numbers" in text
    set_price(store, "33", "0.5")
    asked = post(client, "/suspended", reason="no_rate")
    assert asked.status_code == 303
    assert "€0.5000" in ended(client, asked.headers["location"])
    for _ in range(200):
        text = client.get("/suspended").text
        if "No call is suspended" in text:
            break
    assert "No call is suspended" in text


@pytest.mark.usefixtures("at_work")
def test_a_preview_is_applied_by_administrators_only(
    empty_site: str, sign_in: SignIn, store: Store, database_url: str
) -> None:
    add_administrator(database_url, "otto", "operator")
    set_price(store, "34", "0.02")
    client, operator = sign_in(empty_site), sign_in(empty_site, "otto")
    wrong = {"kind": "what_if", "from": "2026-11-30", "to": "2026-11-01"}
    refused = post(client, "/corrections", **wrong)
    assert refused.status_code == 422
    assert "The period ends before it begins." in refused.text
    period = {"kind": "rerate", "from": "2026-11-01", "to": "2026-11-30"}
    assert post(operator, "/corrections", **period).status_code == 403
    address = post(client, "/corrections", **period).headers["location"]
    preview = ended(client, address)
    assert "What would change" in preview
    assert "+€0.0060" in preview
    assert post(operator, address + "/apply").status_code == 403
    assert post(client, address + "/apply").status_code == 303
    assert "What changed" in ended(client, address)
    assert post(client, address + "/apply").status_code == 400


@pytest.mark.usefixtures("at_work")
def test_one_call_is_rated_again_from_its_own_page(
    empty_site: str, sign_in: SignIn, store: Store
) -> None:
    client = sign_in(empty_site)
    page = "/calls/2026-11:pbx:f"
    assert "Re-rate" in client.get(page).text
    assert post(client, "/corrections/call", call="2026-11:pbx:f").status_code == 303
    assert "nothing changed" in client.get(page).text
    set_price(store, "33", "0.5")
    post(client, "/corrections/call", call="2026-11:pbx:f")
    text = client.get(page).text
    assert "The call was re-rated." in text
    assert "€0.5000" in text


@pytest.mark.usefixtures("at_work")
def test_suspended_calls_are_written_off_by_an_administrator_with_a_reason(
    empty_site: str, sign_in: SignIn, database_url: str
) -> None:
    add_administrator(database_url, "otto", "operator")
    client, operator = sign_in(empty_site), sign_in(empty_site, "otto")
    for _ in range(200):
        text = client.get("/suspended").text
        if "No rate" in text:
            break
    address = "/suspended/write-off?month=2026-11"
    assert address.replace("&", "&amp;") in text
    assert "Write off" not in operator.get("/suspended").text
    assert operator.get(address).status_code == 403
    form = client.get(address).text
    assert "November 2026" in form
    (position,) = re.findall(r'name="position" value="(\d+)"', form)
    chosen = {"month": "2026-11", "position": position}
    assert post(operator, "/suspended/write-off", note="Test", **chosen).status_code == 403
    assert post(client, "/suspended/write-off", note=" ", **chosen).status_code == 422
    asked = post(client, "/suspended/write-off", note="Calls of the installer", **chosen)
    assert asked.status_code == 303
    outcome = ended(client, asked.headers["location"])
    assert "What was written off" in outcome
    assert "Calls of the installer" in outcome
    call = client.get("/calls/2026-11:pbx:f").text
    assert "Written off" in call
    assert "Calls of the installer" in call
    assert "Suspended calls written off" in client.get("/operations").text
    for _ in range(200):
        text = client.get("/suspended").text
        if "No call is suspended" in text:
            break
    assert "No call is suspended" in text
    assert "There were no such calls" in client.get(address).text


@pytest.mark.usefixtures("at_work")
def test_a_preview_names_who_decided_what_is_left_out_and_that_it_was_made_again(
    empty_site: str, sign_in: SignIn, store: Store, database_url: str
) -> None:
    add_administrator(database_url, "rosa", "administrator")
    set_price(store, "34", "0.02")
    archive_month(store, MonthArchived(month="2026-08", **AUGUST), SAID)
    client, other = sign_in(empty_site), sign_in(empty_site, "rosa")
    period = {"kind": "rerate", "from": "2026-08-01", "to": "2026-11-30"}
    address = post(client, "/corrections", **period).headers["location"]
    preview = ended(client, address)
    assert "August 2026 is archived: its 7 calls are left" in preview
    assert 'action="/keeping/2026-08/attach"' in preview
    set_price(store, "34", "0.03")
    assert post(other, address + "/apply").status_code == 303
    again = ended(client, address)
    assert "Prices or settings changed after the preview." in again
    assert "apply it again" in again
    assert "+€0.0360" in again
    assert post(other, address + "/apply").status_code == 303
    applied = ended(client, address)
    assert "What changed" in applied
    assert "made again" not in applied
    assert applied.count("Applied by") == 2
    events = store.load("correction:" + address.rpartition("/")[2])
    names = [(type(each.event).__name__, each.envelope.actor) for each in events]
    requested, *decided = names
    assert requested[0] == "CorrectionRequested"
    assert [name for name, _ in decided] == ["CorrectionApplied"] * 2 + ["CorrectionEnded"]
    assert {actor for _, actor in decided}.isdisjoint({requested[1]})
    rerated = store.load("call:2026-11:pbx:k0")[-1]
    assert {rerated.envelope.actor} == {actor for _, actor in decided}

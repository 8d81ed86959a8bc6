"""The pages of the system: information, keeping, backups; readiness and metrics."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest

from billing.aggregates.call import CallRated
from billing.aggregates.event import Envelope
from billing.aggregates.keeping import STREAM
from billing.database.states import State, write_states
from billing.keeping.archived_events import open_store
from billing.keeping.keeper import Keeper
from billing.keeping.shortening import shorten
from billing.keeping.worker import Worker
from billing.log.store import LOCK, Store
from billing.periods import months_before
from billing.web import acting
from billing.web.kit.formats import segment
from tests.embedded import until
from tests.web.serving import SignIn, add_administrator, catch_up, install, served

Work = Callable[[], None]


@pytest.fixture
def work(site: str, database_url: str, tmp_path: Path) -> Iterator[Work]:
    """Let the keeping job of the site do its queued tasks."""
    store = open_store(database_url, tmp_path / "archives")
    keeper = Keeper(database_url, store, tmp_path / "archives", tmp_path / "backups")
    worker = Worker(keeper, "Europe/Madrid")

    def done() -> None:
        # At one o'clock nothing is due automatically.
        while worker.step(datetime.now(UTC).replace(hour=0)):
            catch_up(database_url, store)
        catch_up(database_url, store)

    yield done
    worker.close()
    store.close()


def csrf(client: httpx.Client) -> dict[str, str]:
    text = client.get("/system").text
    return {"csrf": text.split('name="csrf" value="')[1].split('"')[0]}


def test_the_system_page_tells_what_to_do_something_about(site: str, sign_in: SignIn) -> None:
    text = sign_in(site).get("/system").text
    assert "BILLING_COOKIE_SECURE=yes" in text
    assert "There is no recent backup of everything." in text
    assert "Calls in the database" in text
    assert "Every device is reporting." in text


def test_the_calls_of_each_month_are_counted_not_estimated(
    site: str, sign_in: SignIn, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("select pg_stat_reset()")  # a crash loses these estimates too
        ((calls,),) = connection.execute("select count(*) from call_list").fetchall()
    text = sign_in(site).get("/system", headers={"accept-language": "en"}).text
    rows = text.split("Calls in the database")[1].split("</table>")[0].split("<tr>")[2:]
    told = [int(row.split('<td class="r n">')[1].split("<")[0].replace(",", "")) for row in rows]
    assert sum(told) == calls


def test_a_backup_is_asked_for_made_downloaded_and_removed(
    site: str, sign_in: SignIn, work: Work
) -> None:
    client = sign_in(site)
    answer = client.post("/backups", data={**csrf(client), "kind": "full"}, follow_redirects=True)
    assert "Waiting" in answer.text
    assert 'hx-get="/backups"' in answer.text  # the page refreshes automatically
    work()
    text = client.get("/backups").text
    assert 'hx-get="/backups"' not in text
    assert "Marta Ruiz" in text
    file = text.split('href="/backups/full-')[1].split('"')[0]
    got = client.get(f"/backups/full-{file}")
    assert got.content.startswith(b'{"kind":"full"')
    assert client.get("/backups/../contarifa").status_code == 404
    assert "nothing can be restored from it" in client.get(f"/backups/full-{file}/remove").text
    client.post(f"/backups/full-{file}/remove", data=csrf(client))
    work()
    assert "There is no backup yet" in client.get("/backups").text
    assert client.get(f"/backups/full-{file}").status_code == 404
    wrong = client.post("/backups", data={**csrf(client), "from": "2026-03-02", "to": "2026-03-01"})
    assert wrong.status_code == 422
    assert "The period ends before it begins." in wrong.text


def test_a_month_is_refused_in_words_and_times_are_set_within_bounds(
    site: str, sign_in: SignIn, work: Work
) -> None:
    client = sign_in(site)
    answer = client.post("/keeping/2026-01/archive", data=csrf(client), follow_redirects=True)
    assert "January 2026 is being archived." in answer.text
    work()
    assert "There are no calls of 2026-01 in the database." in client.get("/keeping").text
    values = {"months": "12", "backup_days": "0", "backups_kept": "3"}
    wrong = client.post("/keeping/settings", data={**csrf(client), **values, "months": "121"})
    assert (wrong.status_code, "from 1 to 120" in wrong.text) == (422, True)
    client.post("/keeping/settings", data={**csrf(client), **values})
    work()
    assert "for 12 months" in client.get("/keeping").text
    assert "No automatic backups." in client.get("/backups").text


def test_an_auditor_looks_and_changes_nothing(
    site: str, sign_in: SignIn, database_url: str
) -> None:
    add_administrator(database_url, "olga", "auditor")
    client = sign_in(site, "olga")
    for path in ("/system", "/keeping", "/backups"):
        assert client.get(path).status_code == 200
    token = csrf(client)
    assert client.get("/keeping/settings").status_code == 403
    assert client.post("/backups", data={**token, "kind": "full"}).status_code == 403
    assert client.post("/keeping/2026-01/attach", data=token).status_code == 403


def test_metrics_and_readiness_are_told_to_whom_they_concern(
    database_url: str, tmp_path: Path
) -> None:
    install(database_url, calls=20)
    with served(database_url, tmp_path) as address:
        assert httpx.get(f"{address}/readyz").text == "ready"
        lines = httpx.get(f"{address}/metrics").text.splitlines()
        values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        assert float(values["contarifa_log_position"]) > 20
        assert values['contarifa_projection_lag_events{projection="balances"}'] == "0"
        assert float(values["contarifa_events_per_second"]) > 0
        through_a_proxy = httpx.get(f"{address}/metrics", headers={"x-forwarded-for": "192.0.2.1"})
        assert through_a_proxy.status_code == 403
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("create table restoring (file text)")
        assert httpx.get(f"{address}/readyz").status_code == 503
    with served(database_url, tmp_path, metrics_token="t0ken") as address:
        assert httpx.get(f"{address}/metrics").status_code == 403
        shown = httpx.get(f"{address}/metrics", headers={"authorization": "Bearer t0ken"})
        assert shown.status_code == 200


def test_a_process_that_ends_again_and_again_is_on_the_system_page(
    site: str, sign_in: SignIn, tmp_path: Path
) -> None:
    client = sign_in(site)
    well = State(name="web", pid=os.getpid(), since=1.0)
    write_states(tmp_path, [well])
    text = client.get("/system").text
    assert "running" in text
    assert "ended unexpectedly" not in text
    write_states(tmp_path, [well, State(name="policies", since=1.0, deaths=4, last_exit=-9)])
    text = client.get("/system").text
    assert "The process policies ended unexpectedly 4 times" in text
    assert "waiting to be started" in text
    assert httpx.get(f"{site}/readyz").text == "ready; policies ended with -9"


def test_a_command_that_waits_for_its_commit_is_answered_and_goes_on(
    site: str, sign_in: SignIn, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acting, "WRITE_SECONDS", 0.2)
    client = sign_in(site)
    with psycopg.connect(database_url) as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
        kept = {"months": "7", "backup_days": "1", "backups_kept": "7", "shorten_months": "0"}
        answer = client.post("/keeping/settings", data={**csrf(client), **kept})
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert "It may or may not have been done" in answer.text
        unready = httpx.get(f"{site}/readyz")
        assert unready.status_code == 503
        assert "nothing can be appended" in unready.text
        assert httpx.get(f"{site}/healthz").status_code == 200
        assert client.get("/calls").status_code == 200
    store = Store(database_url)
    until(lambda: store.load(STREAM))
    store.close()
    until(lambda: httpx.get(f"{site}/readyz").status_code == 200)


def test_the_calls_of_a_backup_are_restored_from_its_page(
    site: str, sign_in: SignIn, work: Work, database_url: str
) -> None:
    client = sign_in(site)
    today = datetime.now(UTC).date()
    period = {"from": f"{today.year - 1}-01-01", "to": today.isoformat()}
    client.post("/backups", data={**csrf(client), **period})
    client.post("/backups", data={**csrf(client), "kind": "full"})
    work()
    text = client.get("/backups").text
    file = "calls-" + text.split('href="/backups/calls-')[1].split('"')[0].removesuffix("/restore")
    assert text.count("/restore") == 1  # a full backup can't be restored here
    assert "do not change" in client.get(f"/backups/{file}/restore").text
    said = client.post(f"/backups/{file}/restore", data=csrf(client), follow_redirects=True)
    assert "are being restored" in said.text
    work()
    with psycopg.connect(database_url) as connection:
        assert connection.execute(
            "select fields ->> 'missing', actor from operations where topic = 'CallsRestored'"
        ).fetchall() == [("0", "administrator:marta")]
    full = "full-" + text.split('href="/backups/full-')[1].split('"')[0]
    assert client.get(f"/backups/{full}/restore").status_code == 404
    assert "Calls were restored from a backup" in client.get("/operations").text


def test_the_shortening_of_numbers_is_set_told_and_bounded(
    site: str, sign_in: SignIn, work: Work
) -> None:
    client = sign_in(site)
    values = {"months": "6", "backup_days": "1", "backups_kept": "7", "shorten_months": "7"}
    wrong = client.post("/keeping/settings", data={**csrf(client), **values})
    assert (wrong.status_code, "after at most 6 months" in wrong.text) == (422, True)
    client.post("/keeping/settings", data={**csrf(client), **values, "shorten_months": "3"})
    work()
    assert "lose their last digits after 3 months" in client.get("/keeping").text
    assert 'name="shorten_months"' in client.get("/keeping/settings").text
    assert "The shortening of called numbers was set" in client.get("/operations").text


def test_a_shortened_call_says_so_wherever_it_is_shown(
    database_url: str, sign_in: SignIn, tmp_path: Path
) -> None:
    streams = install(database_url, apart=timedelta(hours=12))
    add_administrator(database_url)
    store = open_store(database_url, tmp_path / "archives")
    keeper = Keeper(database_url, store, tmp_path / "archives", tmp_path / "backups")
    envelope = Envelope(recorded_at=datetime.now(UTC), actor="system")
    month = months_before(envelope.recorded_at, 2)
    whole = store.load_many([stream for stream in streams if stream.startswith(f"call:{month}")])
    assert shorten(keeper, month, envelope) > 0
    catch_up(database_url, store)
    numbers = {
        stream: event.rating.number
        for stream, (recorded,) in whole.items()
        if isinstance(event := recorded.event, CallRated)
        and event.rating.direction == "outbound"
        and len(event.rating.number) > len("118999")
    }
    stream, number = next(iter(numbers.items()))
    with served(database_url, tmp_path) as address:
        client = sign_in(address)
        page = client.get("/calls/" + segment(stream.removeprefix("call:"))).text
        assert "Number shortened" in page
        assert "The last digits of the number were removed" in page
        assert number[:-4] + "****" in page
        # Some calls of the 1st, local time, are in the stream of the month before (UTC).
        listed = client.get(f"/calls/export.csv?from={month}-02&to={month}-28").text
        assert number[:-4] + "****" in listed
        evidence = client.get("/accounts/company%3Aclinica/evidence.ndjson").text
        assert '{"shortened":{"month":"' in evidence
    settled = [line for line in listed.splitlines() if ",Rated," in line and ",Outbound," in line]
    for each in numbers.values():
        assert each.removeprefix("+34") not in page
        assert [line for line in settled if each.removeprefix("+34") in line] == []
    store.close()

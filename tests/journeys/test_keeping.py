"""An archived month is attached, searched and detached; a full backup: in a real Chromium."""

import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import expect

from billing.aggregates.event import Envelope
from billing.keeping.archive import archive
from billing.keeping.archived_events import open_store
from billing.keeping.keeper import Keeper
from billing.keeping.worker import Worker
from billing.periods import months_before
from billing.policies.closing import close_books
from tests.journeys.conftest import IN_BROWSER, Opened
from tests.keeping.sample import write_off_suspended
from tests.web.serving import add_administrator, catch_up, following, install, served

pytestmark = IN_BROWSER
MONTH = months_before(datetime.now(UTC), 2)


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[str]:
    """An installation with calls of three months, the oldest archived, and all jobs running."""
    install(database_url, apart=timedelta(hours=12))
    add_administrator(database_url)
    store = open_store(database_url, tmp_path / "archives")
    keeper = Keeper(database_url, store, tmp_path / "archives", tmp_path / "backups")
    write_off_suspended(keeper, "", Envelope(recorded_at=datetime.now(UTC), actor="system"))
    # Calls received today are posted to this month, whenever they were made: close it too.
    later = datetime.now(UTC) + timedelta(days=62)
    with psycopg.connect(database_url, autocommit=True) as connection:
        while close_books(connection, store, later):
            catch_up(database_url, store)
    archive(keeper, MONTH, Envelope(recorded_at=later, actor="system"))
    worker, stopping = Worker(keeper, "Europe/Madrid"), threading.Event()
    thread = threading.Thread(target=worker.run, args=(stopping,))
    thread.start()
    with following(database_url), served(database_url, tmp_path) as address:
        yield address
    stopping.set()
    thread.join(20)
    worker.close()
    store.close()


def test_an_archived_month_is_attached_searched_and_detached(open_page: Opened) -> None:
    page = open_page()
    address = f"/calls?from={MONTH}-02&to={MONTH}-20"
    page.goto(address)
    expect(page.locator(".notice")).to_contain_text("are archived")
    expect(page.locator("tbody tr")).to_have_count(0)
    page.locator(".notice a").click()
    row = page.locator("tr", has_text=f"{MONTH}-1.archive").first
    expect(row).to_contain_text("Archived")
    row.get_by_role("button", name="Attach").click()
    expect(row.get_by_role("button", name="Detach")).to_be_visible(timeout=15_000)
    page.goto(address)
    expect(page.locator("tbody tr").first).to_be_visible()
    page.locator("td.when a").first.click()
    expect(page.locator("h2", has_text="The record as received")).to_be_visible()
    page.goto("/keeping")
    row.get_by_role("button", name="Detach").click()
    expect(row.get_by_role("button", name="Attach")).to_be_visible(timeout=15_000)
    page.goto(address)
    expect(page.locator("tbody tr")).to_have_count(0)


def test_the_calls_of_a_period_are_backed_up_with_their_checksum_and_restored(
    open_page: Opened,
) -> None:
    page = open_page()
    page.goto("/backups")
    page.get_by_label("First day").fill(f"{MONTH}-02")  # a month in a file
    page.get_by_label("Last day").fill(f"{MONTH}-20")
    page.get_by_role("button", name="Back up the calls").click()
    row = page.locator("tbody tr", has_text=f"calls-{MONTH}-02-{MONTH}-20").first
    told = row.locator("code")
    expect(told).to_be_visible(timeout=15_000)
    with page.expect_download() as download:
        row.locator("td.co a").click()
    digest = hashlib.sha256(Path(download.value.path()).read_bytes()).hexdigest()
    assert told.get_attribute("title") == digest
    row.get_by_role("link", name="Restore the calls of").click()
    expect(page.locator("main")).to_contain_text("or in an archive, do not change")
    page.get_by_role("button", name="Restore").click()
    task = page.locator("section[aria-labelledby=tasks] tr", has_text="Restore the calls")
    expect(task).to_contain_text("Done", timeout=15_000)
    page.goto("/operations?kind=keeping")
    restored = page.locator("tbody tr", has_text="Calls were restored from a backup")
    expect(restored).to_contain_text("missing: 0")


def test_a_month_is_archived_with_short_numbers_and_says_so(open_page: Opened) -> None:
    page = open_page()
    page.goto("/keeping/settings")
    field = page.get_by_label("Months after which called numbers are shortened")
    field.fill("9")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("after at most 6 months")
    field.fill("6")
    page.get_by_role("button", name="Save").click()
    row = page.locator("tr", has_text=f"{MONTH}-1.archive").first
    expect(row).to_contain_text("full numbers")
    row.get_by_role("button", name="Attach").click()
    expect(row.get_by_role("button", name="Detach")).to_be_visible(timeout=15_000)
    page.goto(f"/calls?from={MONTH}-02&to={MONTH}-20&status=charged")
    expect(page.locator("tbody tr").first).to_be_visible()
    assert "****" not in page.locator("tbody").inner_text()  # the file is unchanged


def test_everything_is_backed_up_by_a_click_and_downloaded(open_page: Opened) -> None:
    page = open_page(language="es")
    page.goto("/backups")
    page.get_by_role("button", name="Hacer copia de seguridad de todo").click()
    link = page.locator("td.co a", has_text="full-")
    expect(link).to_be_visible(timeout=15_000)
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename.startswith("full-")
    assert Path(download.value.path()).read_bytes().startswith(b'{"kind":"full"')

"""The life of a company in a real Chromium: opened, assigned rates, recharged, frozen, billed."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from playwright.sync_api import Page, expect

from billing.aggregates.event import Envelope
from billing.commands.calls import SubmitCalls, submit
from billing.commands.catalogue import Catalogue
from billing.commands.devices import RegisterDevice, register_device
from billing.commands.rate_groups import (
    ChangeRates,
    CreateRateGroup,
    change_rates,
    create_rate_group,
)
from billing.log.store import Store
from billing.policies.closing import close_books
from billing.rating.rates import Rate, Tier
from billing.reading import profile_of, read_body
from tests.journeys.conftest import IN_BROWSER, Opened
from tests.web.serving import following

pytestmark = IN_BROWSER
CALL = b"""{"id": "j1", "src": "101", "dst": "0012127454135", "start": "%s", "answer": "%s",
 "end": "%s", "duration_ms": 125000, "bill_ms": 120000, "disposition": "ANSWERED"}"""


@pytest.fixture
def followed(database_url: str, site: str) -> Iterator[Store]:
    """Yield the log of the served installation while its read models follow."""
    store = Store(database_url)
    with following(database_url):
        yield store
    store.close()


def said() -> Envelope:
    return Envelope(recorded_at=datetime.now(UTC), actor="device:lux-pbx", address="192.0.2.17")


def call(store: Store) -> None:
    """Return a call of two minutes to New York, as its phone system submits it."""
    catalogue = Catalogue()
    catalogue.refresh(store)
    now = datetime.now(UTC).isoformat().encode()
    profile = profile_of(catalogue.registration("lux-pbx"))
    records = read_body(
        CALL.replace(b"\n", b"") % (now, now, now),
        content_encoding="",
        profile=profile,
        received_at=datetime.now(UTC),
        most_records=1,
    )
    submit(
        store,
        catalogue,
        [SubmitCalls(device_id="lux-pbx", records=list(records), envelope=said())],
    )


def test_a_company_lives_from_its_opening_to_its_statement(
    open_page: Opened, followed: Store, database_url: str
) -> None:
    page = open_page()
    open_and_bind(page, followed)
    company_id = page.url.rpartition(":")[2]
    recharge(page)
    left = charge_a_call(page, followed, company_id)
    freeze_and_unfreeze(page)
    close_the_month(followed, database_url)
    page.reload()
    page.locator("section", has_text="Statements").locator("tbody a").first.click()
    expect(page.locator(".ledger .sum")).to_contain_text(left)
    expect(page.locator("section", has_text="The calls of this statement")).to_contain_text(
        "+12127454135"
    )
    with page.expect_download() as pdf:
        page.get_by_role("link", name="PDF").click()
    assert pdf.value.path().read_bytes().startswith(b"%PDF-")
    replay(page, company_id)


def open_and_bind(page: Page, followed: Store) -> None:
    group = CreateRateGroup(group_id="standard", name="Standard", currency="EUR")
    create_rate_group(followed, group, said())
    rate = Rate(name="EE. UU.", prefix="1", tiers=(Tier(price="0.10"),))
    change_rates(followed, ChangeRates(group_id="standard", rates=(rate,)), said())
    page.get_by_role("link", name="Companies").click()
    page.get_by_role("link", name="Open a company").click()
    page.fill("[name=name]", "Óptica Lux")
    page.get_by_role("button", name="Open the company").click()
    expect(page.locator("h1")).to_have_text("Óptica Lux")
    expect(page.get_by_role("status")).to_contain_text("Next, assign a rate group.")

    page.locator("summary", has_text="More").click()
    page.get_by_role("link", name="Assign a rate group").click()
    page.select_option("[name=group]", label="Standard")
    page.get_by_role("button", name="Assign").click()
    expect(page.locator("section", has_text="Rate groups").last).to_contain_text("Standard")


def recharge(page: Page) -> None:
    page.get_by_role("link", name="Recharge", exact=True).click()
    page.fill("[name=amount]", "1e9")
    page.fill("[name=reason]", "Transfer")
    page.get_by_role("button", name="Recharge the account").click()
    expect(page.locator(".field-problem")).to_contain_text("is not an amount")
    page.fill("[name=amount]", "50,00")
    page.get_by_role("button", name="Recharge the account").click()
    expect(page.locator(".headline").first).to_contain_text("€50.00")


def charge_a_call(page: Page, followed: Store, company_id: str) -> str:
    """Submit a call; return the balance after it."""
    device = RegisterDevice(
        device_id="lux-pbx",
        company_id=company_id,
        name="Lux",
        time_zone="Europe/Madrid",
        country="ES",
        area_code="91",
    )
    register_device(followed, device, said())
    call(followed)
    for _ in range(50):
        page.reload()
        if "€49.80" in page.locator(".headline").first.inner_text():
            break
    expect(page.locator(".headline").first).to_contain_text("€49.80")
    return "€49.80"


def freeze_and_unfreeze(page: Page) -> None:
    page.locator("summary", has_text="More").click()
    page.get_by_role("link", name="Freeze the account").click()
    page.fill("[name=reason]", "Unpaid")
    page.get_by_role("button", name="Freeze").click()
    expect(page.locator(".problem-line")).to_contain_text("Frozen: Unpaid")
    page.locator("summary", has_text="More").click()
    page.get_by_role("link", name="Unfreeze the account").click()
    page.fill("[name=reason]", "Paid")
    page.get_by_role("button", name="Unfreeze").click()
    expect(page.locator(".problem-line")).to_have_count(0)


def replay(page: Page, company_id: str) -> None:
    page.goto(f"/accounts/company:{company_id}/history")
    expect(page.locator("tbody")).to_contain_text("Frozen: Unpaid")
    expect(page.locator("#moment")).to_contain_text("Standard")
    page.get_by_role("button", name="Verify balance").click()
    expect(page.locator("#state h2")).to_have_text("Balance verified", timeout=20_000)
    expect(page.locator("#state")).to_contain_text(re.compile(r"\d+ events of the log give"))


def close_the_month(store: Store, database_url: str) -> None:
    """Run the policy as after the end of this month."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for _ in range(400):
            close_books(connection, store, datetime.now(UTC) + timedelta(days=32))
            found = connection.execute(
                "select count(*) filter (where statements_through = '') from accounts"
                " where kind = 'company'"
            ).fetchone()
            if found == (0,):
                return
            connection.execute("select pg_sleep(0.02)")
    raise AssertionError("the statements were not closed")

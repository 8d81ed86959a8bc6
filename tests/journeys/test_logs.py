"""The logs of operations and sign-ins in a real Chromium: searched, read and exported."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.journeys.conftest import IN_BROWSER, PHONE, Opened
from tests.web.serving import add_administrator, following, install, served

pytestmark = IN_BROWSER


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[str]:
    """The usual installation with running read models."""
    install(database_url, calls=30)
    add_administrator(database_url)
    with following(database_url), served(database_url, tmp_path) as address:
        yield address


def downloaded(page: Page) -> list[dict[str, str]]:
    """Return the rows of the page's CSV."""
    page.locator("details summary").filter(has_text="Export").click()
    with page.expect_download() as file:
        page.get_by_role("link", name="CSV").first.click()
    page.keyboard.press("Escape")
    text = file.value.path().read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def is_open_to_all(page: Page) -> None:
    """Check that the page is usable on a desk and on a phone, light and dark."""
    for size, theme in ((None, "light"), (PHONE, "dark")):
        if size:
            page.set_viewport_size(size)  # type: ignore[arg-type]
        page.context.add_cookies([{"name": "theme", "value": theme, "url": page.url}])
        page.reload()
        assert Axe().run(page).response["violations"] == []


def test_what_was_done_is_found_by_person_and_object_taken_along_and_followed(
    open_page: Opened,
) -> None:
    page = open_page()
    page.goto("/keeping/settings")
    page.get_by_label("Months that calls stay in the database").fill("12")
    page.get_by_label("Months after which called numbers are shortened").fill("3")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".head .sub")).to_contain_text("lose their last digits after 3 months")
    page.goto("/accounts/company%3Aclinica/limits")
    page.get_by_role("textbox", name="Credit limit").fill("250")
    page.locator("main").get_by_role("button", name="Save").click()
    page.goto("/operations")
    page.locator("select[name=actor]").select_option(label="Marta Ruiz")
    expect(page.locator("tbody tr")).to_have_count(3)
    page.locator("select[name=kind]").select_option(label="Company")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile("kind=company"))
    row = page.locator("tbody tr").first
    expect(row).to_contain_text("Limits set")
    expect(row).to_contain_text("credit limit: ")
    expect(row).to_contain_text("127.0.0.1")
    (line,) = downloaded(page)
    assert line["What happened"] == "Limits set"
    assert "credit limit: " in line["Details"]
    assert "€250.00" in line["Details"]
    assert (line["By"], line["IP address"]) == ("Marta Ruiz", "127.0.0.1")
    row.get_by_role("link", name="Clínica Santa Águeda").click()
    expect(page.locator("h1")).to_have_text("Clínica Santa Águeda")
    page.goto("/operations?kind=keeping")
    first, second = page.locator("tbody tr").all()
    expect(first).to_contain_text("The shortening of called numbers was set")
    expect(second).to_contain_text("The keeping times were set")
    first.get_by_role("link").click()
    expect(page.locator("h1")).to_have_text("CDR keeping")
    page.goto("/operations")
    is_open_to_all(page)


def test_who_came_in_and_who_was_refused_is_found_and_taken_along(open_page: Opened) -> None:
    page = open_page()
    stranger = page.context.browser.new_context(base_url=page.url.partition("/calls")[0])  # type: ignore[union-attr]
    strange = stranger.new_page()
    strange.goto("/calls")
    expect(strange.locator("[name=name]")).to_be_focused()
    strange.fill("[name=name]", "marta")
    strange.fill("[name=password]", "guessed")
    strange.locator("button.btn-primary").click()
    expect(strange.locator("main")).to_contain_text("password")
    stranger.close()
    page.goto("/sign-ins")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.locator("select[name=kind]").select_option("refused")
    expect(page.locator("tbody tr")).to_have_count(1)
    row = page.locator("tbody tr").first
    expect(row).to_contain_text("Wrong password")
    expect(row).to_contain_text("127.0.0.1")
    (line,) = downloaded(page)
    assert (line["What happened"], line["Name"]) == ("Refused", "marta")
    assert "Chrome" in line["Browser"]
    is_open_to_all(page)


def test_the_system_page_tells_all_of_the_machine_and_looks_again_by_itself(
    open_page: Opened,
) -> None:
    page = open_page()
    page.goto("/system")
    for fact in (
        "Events a second",
        "Page data delay",
        "Database",
        "Free on the disk",
        "Version",
        "Running since",
        "Processors",
        "Memory",
        "Disk",
        "Archives",
        "Backups",
        "Last backup of everything",
        "Certificate until",
        "Devices",
    ):
        expect(page.locator("dl dt", has_text=re.compile(f"^{fact}$"))).to_be_visible()
    expect(page.locator("#sizes")).to_be_visible()
    expect(page.locator("#silent")).to_be_visible()
    with page.expect_response(lambda answer: answer.url.endswith("/system"), timeout=15_000):
        pass
    expect(page.locator(".form-problem").first).to_contain_text("BILLING_COOKIE_SECURE")
    is_open_to_all(page)

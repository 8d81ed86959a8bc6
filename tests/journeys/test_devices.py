"""An installer's work in a browser: a device, its lines and prefixes, and corrected mistakes."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.journeys.conftest import DESK, IN_BROWSER, PHONE, Opened
from tests.web.rerating.test_rerating import rerating
from tests.web.serving import following

pytestmark = IN_BROWSER
PBX = "/devices/clinica-pbx"
PAGES = (
    PBX,
    f"{PBX}/edit",
    f"{PBX}/extensions",
    f"{PBX}/prefixes?number=9914230628",
    "/suspended",
    "/corrections",
)


@pytest.fixture(autouse=True)
def at_work(site: str, database_url: str) -> Iterator[None]:
    with following(database_url), rerating(database_url):
        yield


def test_an_installer_sets_up_a_device(open_page: Opened) -> None:
    page = open_page()
    page.goto("/devices")
    page.get_by_role("link", name="Register a device").click()
    page.locator("[name=name]").fill("Sede norte")
    page.locator("[name=company]").select_option("Clínica Santa Águeda")
    page.locator("[name=area_code]").fill("91")
    page.get_by_role("button", name="Register").click()
    password = page.locator("#password").inner_text()
    page.get_by_role("link", name="I have copied them").click()
    expect(page.locator("h1")).to_have_text("Sede norte")
    expect(page.locator("main")).not_to_contain_text(password)
    page.get_by_role("button", name="Rotate").click()
    expect(page.locator("#account")).to_have_text(re.compile("-2$"))
    page.get_by_role("link", name="I have copied them").click()
    page.get_by_role("link", name="Extensions").click()
    page.get_by_role("link", name="Import").click()
    sheet = "extension,account,name\n201,Recepción,Ana\n202,,Bea\n"
    page.locator("[name=file]").set_input_files(
        {"name": "lines.csv", "mimeType": "text/csv", "buffer": sheet.encode()}
    )
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("button", name="Apply all").click()
    expect(page.locator("tbody")).to_contain_text("Bea")
    page.locator(".crumb a").click()
    page.get_by_role("link", name="Route prefixes").click()
    page.locator("[name=prefix_1]").fill("9")
    page.get_by_role("button", name="Save").click()
    page.locator("[name=number]").fill("9914230628")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator(".told")).to_contain_text("+34914230628")


def test_a_preview_is_made_and_left_and_what_is_suspended_is_tried_again(
    open_page: Opened,
) -> None:
    page = open_page()
    page.goto("/corrections")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#outcome")).to_have_text("What would change", timeout=20_000)
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_text("It was stopped.")).to_be_visible()
    page.goto("/suspended")
    page.get_by_role("button", name="Re-rate").first.click()
    expect(page.get_by_text("stay suspended")).to_be_visible(timeout=20_000)


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_no_page_of_devices_keeps_anybody_out(size: dict[str, int], open_page: Opened) -> None:
    page = open_page(viewport=size, language="es", theme="dark" if size is PHONE else "light")
    for address in PAGES:
        page.goto(address)
        page.wait_for_load_state("load")
        found = Axe().run(page)
        assert found.violations_count == 0, f"{address}\n{found.generate_report()}"
        fits = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert fits, f"{address} is wider than the screen"

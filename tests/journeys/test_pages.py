"""What people do with the pages, in a real Chromium: with and without scripts, wide and narrow."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.journeys.conftest import DESK, IN_BROWSER, PHONE, Opened

PAGES = (
    "/",
    "/statistics",
    "/statistics?by=user&measure=talk&grain=hour",
    "/exports",
    "/calls",
    "/calls?q=99999",
    "/companies",
    "/companies/new",
    "/accounts/company:clinica",
    "/accounts/company:clinica/limits",
    "/accounts/company:clinica/history",
    "/user-accounts",
    "/user-accounts/import",
    "/movements",
    "/devices",
    "/system",
    "/keeping",
    "/keeping/settings",
    "/backups",
    "/password",
)

pytestmark = IN_BROWSER


def times(page: Page) -> list[str]:
    return page.locator("td.when").all_inner_texts()


def test_an_administrator_finds_out_what_a_call_cost(open_page: Opened) -> None:
    page = open_page()
    expect(page).to_have_title("Calls · Contarifa")
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("radio", name="Local").check()
    expect(page).to_have_url(re.compile("class=local"))
    expect(page.locator("tfoot")).to_contain_text("60 calls")
    page.get_by_label("Company").select_option("Clínica Santa Águeda")
    expect(page).to_have_url(re.compile(r"\?class=local&company=clinica$"))
    page.locator("#q").fill("914230628")
    expect(page.locator("tfoot")).to_contain_text("30 calls")
    page.locator("td.when a").first.click()
    expect(page.locator("h1")).to_contain_text("+34914230628")
    expect(page.locator(".told li")).to_have_count(10)
    expect(page.locator("pre").first).to_contain_text('"dst": "914230628"')


def test_pages_turn_by_button_and_by_key(open_page: Opened) -> None:
    page = open_page()
    newest = times(page)
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="Newer")).to_be_visible()
    assert set(times(page)).isdisjoint(newest)
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("after="))
    page.get_by_role("link", name="Newest").click()
    expect(page.locator(".pager [rel=prev]")).to_have_count(0)
    assert times(page) == newest
    page.keyboard.press("/")
    expect(page.locator("#q0")).to_be_focused()


def test_language_and_theme_change_and_stay(open_page: Opened) -> None:
    page = open_page()
    page.locator("[data-theme-switch]").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.get_by_label("Account menu").click()
    page.get_by_role("button", name="Español").click()
    expect(page.locator("h1")).to_have_text("Llamadas")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.get_by_label("Menú de la cuenta").click()
    page.get_by_role("button", name="Cerrar sesión").click()
    expect(page.locator("h1")).to_have_text("Iniciar sesión")


def test_menus_close_by_escape_and_by_a_click_elsewhere(open_page: Opened) -> None:
    page = open_page()
    menu = page.locator("details.period")
    menu.locator("summary").click()
    expect(menu).to_have_attribute("open", "")
    page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    menu.locator("summary").click()
    page.locator("h1").click()
    expect(menu).not_to_have_attribute("open", "")
    menu.locator("summary").click()
    page.get_by_role("link", name="Today").click()
    expect(page).to_have_url(re.compile(r"\?from=.*&to="))


def test_everything_works_without_scripts(open_page: Opened) -> None:
    page = open_page(java_script_enabled=False)
    page.get_by_label("Status").select_option("suspended")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("tbody tr")).to_have_count(8)
    page.locator("details.period summary").click()
    page.get_by_role("link", name="Last month").click()
    expect(page.get_by_text("No calls match these filters")).to_be_visible()
    page.locator("[data-theme-switch]").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.get_by_label("Account menu").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("h1")).to_have_text("Sign in")


def test_the_filtered_calls_are_downloaded(open_page: Opened) -> None:
    page = open_page()
    page.goto("/calls?class=national")
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as csv:
        page.get_by_role("link", name="CSV").click()
    assert csv.value.path().read_text("utf-8-sig").count("National") == 30
    with page.expect_download() as excel:
        page.get_by_role("link", name="Excel").click()
    assert excel.value.suggested_filename.endswith(".xlsx")


@pytest.mark.parametrize(
    ("theme", "size"), [("light", DESK), ("dark", PHONE)], ids=["desk light", "phone dark"]
)
def test_no_page_keeps_anybody_out(theme: str, size: dict[str, int], open_page: Opened) -> None:
    page = open_page(theme=theme, viewport=size, language="es")
    call = page.locator("td.when a").first.get_attribute("href")
    for address in (*PAGES, str(call)):
        page.goto(address)
        page.wait_for_load_state("load")
        found = Axe().run(page)
        assert found.violations_count == 0, f"{address}\n{found.generate_report()}"
        fits = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert fits, f"{address} is wider than the screen"


def test_on_a_phone_the_menu_opens_and_closes(open_page: Opened) -> None:
    page = open_page(viewport=PHONE)
    expect(page.locator("#side")).not_to_be_visible()
    page.get_by_label("Open the menu").click()
    page.locator("#side").get_by_role("link", name="Devices").click()
    expect(page.locator("h1")).to_have_text("Devices")
    expect(page.locator("#side")).not_to_be_visible()
    page.get_by_label("Open the menu").click()
    page.locator("#side").get_by_label("Close the menu").click()
    expect(page.locator("#side")).not_to_be_visible()

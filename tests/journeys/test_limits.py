"""An administrator who is limited to companies signs in and works within them, in a browser."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.journeys.conftest import DESK, IN_BROWSER, PHONE, Opened
from tests.web.serving import following

pytestmark = IN_BROWSER
OWN_PASSWORD = "a password of her own"


@pytest.fixture(autouse=True)
def at_work(site: str, database_url: str) -> Iterator[None]:
    with following(database_url):
        yield


def add_nuria(page: Page) -> str:
    """Add her with two companies; return the password that is shown once."""
    page.goto("/administrators/new")
    page.locator("[name=sign_in_name]").fill("nuria")
    page.locator("[name=name]").fill("Nuria Gil")
    page.locator("[name=role]").select_option("administrator")
    expect(page.locator("[name=added]")).to_be_hidden()
    page.locator("[name=reach][value=some]").check()
    page.get_by_role("button", name="Add the administrator").click()
    expect(page.locator(".field-problem")).to_have_text("Choose at least one company.")
    first = page.locator("[name=added]").first
    first.press_sequentially("costa")
    expect(page.locator("#company-names option")).to_have_count(1)
    first.fill("Hoteles Costa Esmeralda")
    page.locator("[name=added]").nth(1).fill("clínica santa águeda")
    page.locator("[name=added]").nth(2).fill("Clinica")
    page.get_by_role("button", name="Add the administrator").click()
    expect(page.locator(".field-problem")).to_have_text("There is no company “Clinica”.")
    expect(page.locator("[name=companies]:checked")).to_have_count(2)
    page.locator("[name=added]").first.fill("")
    page.get_by_role("button", name="Add the administrator").click()
    return page.locator("#password").inner_text()


def test_who_is_limited_works_within_her_companies(open_page: Opened) -> None:
    page = open_page()
    password = add_nuria(page)
    page.goto("/administrators")
    expect(page.locator("tbody")).to_contain_text("Administrator · 2 companies")
    page.context.clear_cookies(name="session")
    page.goto("/companies")
    expect(page.locator("[name=name]")).to_be_focused()
    page.fill("[name=name]", "nuria")
    page.fill("[name=password]", password)
    page.click("button.btn-primary")
    page.fill("[name=current]", password)
    page.fill("[name=new]", OWN_PASSWORD)
    page.fill("[name=again]", OWN_PASSWORD)
    page.click("button.btn-primary")
    expect(page.locator("h1")).to_have_text("Overview")
    menu = page.locator(".side nav")
    expect(menu).to_contain_text("Companies")
    for absent in ("System", "Administrators", "Rate groups", "Re-rating", "Login log"):
        expect(menu).not_to_contain_text(absent)
    page.goto("/companies")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("link", name="Hoteles Costa Esmeralda").click()
    page.get_by_role("link", name="Recharge", exact=True).click()
    page.fill("[name=amount]", "20")
    page.fill("[name=reason]", "transfer")
    page.get_by_role("button", name="Recharge the account").click()
    expect(page.locator(".notice")).to_contain_text("The account was recharged.")
    page.locator(".who").click()
    expect(page.locator(".menu-note")).to_contain_text("Limited to 2 companies")


def test_the_form_of_a_limit_has_no_barrier_and_fits_a_phone(open_page: Opened) -> None:
    for theme, size in (("light", DESK), ("dark", PHONE)):
        page = open_page(theme=theme, viewport=size)
        page.goto("/administrators/new")
        page.locator("[name=reach][value=some]").check()
        expect(page.locator("[name=added]")).to_be_visible()
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

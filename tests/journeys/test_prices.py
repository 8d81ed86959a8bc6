"""The life of a price in a real Chromium: shown while typing, imported, undone, tested."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.journeys.conftest import IN_BROWSER, PHONE, Opened
from tests.web.serving import following

pytestmark = IN_BROWSER
DECK = (
    "Tarifas de noviembre\nDestino;Código país;Códigos;Precio €/min;Incrementos\n"
    "Chile móvil;56;9;0,02;60/1\nPerú;51;;0,03;1/1\nCosta Rica;+506;2-3, 8;0,1;30/6\n"
)
PLAN = "Prefijo;Zona;Tipo;País\n569;Chile móvil;Móvil;CL\n"


@pytest.fixture
def followed(database_url: str, site: str) -> Iterator[None]:
    with following(database_url):
        yield


def faults(page: Page) -> list[str]:
    return [each["id"] for each in Axe().run(page).response["violations"]]


def new_group(page: Page, name: str) -> str:
    page.goto("/rate-groups/new")
    page.fill("[name=name]", name)
    page.get_by_role("button", name="Create the group").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    return page.url


def test_a_price_is_told_as_an_example_while_it_is_typed(open_page: Opened, followed: None) -> None:
    page = open_page()
    group = new_group(page, "Mayorista")
    page.get_by_role("link", name="New price").click()
    page.fill("[name=value]", "569")
    page.fill("[name=t0_price]", "0,0125")
    example = page.locator("#example")
    expect(example).to_contain_text("A call of 3 min 20 s on Tuesday")
    expect(example).to_contain_text("€0.0417")
    page.get_by_role("button", name="Add a band").click()
    page.fill("[name=b0_name]", "evening")
    page.fill("[name=b0_from]", "19:00")
    page.fill("[name=b0_to]", "08:00")
    page.fill("[name=b0_t0_price]", "0,006")
    expect(example).to_contain_text("€0.02")
    assert faults(page) == []
    page.get_by_role("button", name="Set the price").click()
    expect(page.get_by_text("set by Marta Ruiz")).to_be_visible()
    assert faults(page) == []
    page.goto(group)
    expect(page.locator("tbody")).to_contain_text("evening")


def test_a_deck_is_previewed_imported_and_undone_and_its_price_tried(
    open_page: Opened, followed: None, tmp_path: Path
) -> None:
    deck, plan = tmp_path / "noviembre.csv", tmp_path / "plan.csv"
    deck.write_text(DECK)
    plan.write_text(PLAN)
    page = open_page(viewport=PHONE)
    group = new_group(page, "Mayorista")
    page.goto(f"{group}/import")
    page.set_input_files("[name=file]", deck)
    page.get_by_role("button", name="Continue to the columns").click()
    expect(page.locator("[name=col_price]")).to_have_value("3")
    page.get_by_role("button", name="Show changes").click()
    expect(page.get_by_role("button", name="Import: change 5 prices")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("button", name="Import: change 5 prices").click()
    expect(page.get_by_text("The deck was imported.")).to_be_visible()
    page.goto("/number-plan/import")
    page.set_input_files("[name=file]", plan)
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Apply all").click()
    page.goto("/accounts/company:clinica/bind")
    page.select_option("[name=group]", label="Mayorista")
    page.get_by_role("main").locator("button.btn-primary").click()
    page.wait_for_url("**/accounts/company:clinica")
    page.goto("/rate-tester")
    page.select_option("[name=device]", "clinica-pbx")
    page.fill("[name=number]", "0056912345678")
    page.get_by_role("button", name="Calculate the price").click()
    expect(page.get_by_role("main")).to_contain_text("The rate “Chile móvil” applies")
    expect(page.get_by_role("main")).to_contain_text("€0.0667")
    assert faults(page) == []
    page.goto(group)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("The import was undone.")).to_be_visible()
    expect(page.locator("#results tbody tr")).to_have_count(2)

"""The work on prices in a browser, from the first price to a re-rating."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from billing.cli.setup import said_here
from billing.commands.calls import SubmitCalls, submit
from billing.commands.catalogue import Catalogue
from billing.log.store import Store
from billing.periods import last_month
from billing.policies.cascades import Cascades
from tests.commands.test_calls import record
from tests.journeys.conftest import IN_BROWSER, PHONE, Opened
from tests.web.rerating.test_rerating import rerating
from tests.web.serving import following

pytestmark = IN_BROWSER
SAID = said_here()
PBX = "/devices/clinica-pbx"
LAST_MONTH = last_month(datetime.now(UTC), "Europe/Madrid")[0] + timedelta(days=3)
# A title, a Spanish header, decimal commas, a plus, ranges, several in a cell, a duplicate.
ODD = """Tarifas mayoristas de la casa;;;;;
DESTINO;Código de país;Códigos de área;Precio €/min;Incrementos;Vigente desde
España;+34;;0,02;60/60;01/01/2026
España móvil;34;6, 71-74;0,05;1;01/01/2026
España móvil;34;6;0,05;1;01/01/2026
Chile;56;2, 32-34;0,01;30/6;01/01/2026
Alemania (fijos);0049;30 | 40;"0,0125";1/1;2026-01-01
Perú;51;;1.234,5;1;01/01/2026
"""


@pytest.fixture(autouse=True)
def at_work(site: str, database_url: str) -> Iterator[None]:
    with following(database_url), rerating(database_url):
        yield


def submitted(url: str, device_id: str, key: str, **changes: Any) -> None:
    """Submit a call of a minute; return how it was rated."""
    store = Store(url)
    at = changes.pop("at", LAST_MONTH)
    told = record(
        key, started_at=at, answered_at=at, ended_at=at + timedelta(seconds=60), **changes
    )
    submit(store, Catalogue(), [SubmitCalls(device_id=device_id, records=[told], envelope=SAID)])
    store.close()


def send(page: Page, address: str, name: str, text: str, button: str) -> None:
    page.goto(address)
    page.locator("[name=file]").set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": text.encode()}
    )
    page.get_by_role("button", name=button).click()


def is_fine(page: Page) -> None:
    page.wait_for_load_state("load")
    assert [each["id"] for each in Axe().run(page).response["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def priced_group(page: Page, name: str, prefix: str, price: str) -> str:
    page.goto("/rate-groups/new")
    page.fill("[name=name]", name)
    page.get_by_role("button", name="Create the group").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    group = page.url.split("?")[0]
    set_price(page, group, prefix, price)
    return group


def set_price(page: Page, group: str, prefix: str, price: str, since: str = "") -> None:
    page.goto(f"{group}/price")
    page.fill("[name=value]", prefix)
    page.fill("[name=t0_price]", price)
    page.fill("[name=effective_from]", since)
    page.get_by_role("button", name="Set the price").click()
    expect(page.get_by_text("The price was set.")).to_be_visible()


def bind(page: Page, group: str, company: str = "clinica") -> None:
    page.goto(f"/accounts/company:{company}/bind")
    page.select_option("[name=group]", label=group)
    page.get_by_role("main").locator("button.btn-primary").click()
    page.wait_for_url(f"**/accounts/company:{company}")


def test_extensions_are_imported_once_every_wrong_row_is_mended_and_one_moves(
    open_page: Opened, tmp_path: Path
) -> None:
    page = open_page()
    head, button = "Extensión;Cuenta;Nombre;Válida desde\n", "Preview"
    wrong = "201;Recepción;Ana;\n201;;Bea;\n202;nadie;;\n203;;;31/31/2026\n"
    send(page, f"{PBX}/extensions/import", "mal.csv", head + wrong, button)
    for row, said in ((3, "appears twice in the spreadsheet"), (4, "nadie"), (5, "is not a date")):
        line = page.locator("tbody tr", has_text=said)
        expect(line.locator("td").first).to_have_text(str(row))
    is_fine(page)
    good = "201;Recepción;Ana;\n202;;Bea;1/11/2026\n"
    send(page, f"{PBX}/extensions/import", "bien.csv", head + good, button)
    page.get_by_role("button", name="Apply all").click()
    expect(page.locator("tbody")).to_contain_text("Bea")
    exported = page.request.get(f"{PBX}/extensions/export.csv").text()
    assert "202,,Bea,,2026-11-01" in exported
    send(page, f"{PBX}/extensions/import", "otra vez.csv", exported, button)
    expect(page.get_by_text("As it is").first).to_be_visible()
    page.goto(f"{PBX}/extensions")
    page.fill("[name=extension]", "201")
    page.fill("[name=name]", "Ana")
    page.fill("[name=valid_from]", "2026-12-01")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The extension was assigned.")).to_be_visible()
    is_fine(page)


def test_a_group_is_copied_compared_bound_and_its_price_looked_up_in_the_past(
    open_page: Opened,
) -> None:
    page = open_page()
    group = priced_group(page, "Plan A", "569", "0,03")
    set_price(page, group, "569", "0,04", "2026-06-01")
    expect(page.get_by_text("It applies from a past day")).to_be_visible()
    page.fill("[name=on]", "2026-03-03")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".answer")).to_contain_text("€0.03 per minute · set by Marta Ruiz")
    page.goto("/rate-groups/new")
    page.fill("[name=name]", "Plan B")
    page.select_option("[name=original]", label="Plan A · EUR")
    page.get_by_role("button", name="Create the group").click()
    expect(page.get_by_role("heading", name="Plan B")).to_be_visible()
    set_price(page, page.url.split("?")[0], "569", "0,09", "2026-07-01")
    page.goto("/rate-groups/compare")
    page.select_option("[name=one]", label="Plan A · EUR")
    page.select_option("[name=other]", label="Plan B · EUR")
    row = page.locator("#results tbody tr", has_text="+569")
    expect(row).to_contain_text("€0.04")
    expect(row).to_contain_text("€0.09")
    is_fine(page)
    bind(page, "Plan A")
    page.goto(group)
    expect(page.get_by_role("button", name="Delete “Plan A”")).to_be_disabled()
    page.goto("/operations?q=Plan+A")
    expect(page.locator("tbody")).to_contain_text(
        "+569: €0.03 a minute → €0.04 a minute from 1 Jun"
    )
    is_fine(page)


def test_an_odd_deck_tells_what_it_changes_and_costs_and_is_undone(
    open_page: Opened, database_url: str
) -> None:
    page = open_page(viewport=PHONE)
    group = priced_group(page, "Mayorista", "34", "0,018")
    bind(page, "Mayorista")
    for number in range(3):
        submitted(database_url, "clinica-pbx", f"m{number}", called="612345678")
    wrong = ODD + "Malo;;x9;0,1;1;\nMalo;57;;-1;1;\nMalo;58;;0,1;0;\n"
    send(page, f"{group}/import", "mal.csv", wrong, "Continue to the columns")
    page.get_by_role("button", name="Show changes").click()
    expect(page.get_by_text("3 rows are wrong")).to_be_visible()
    is_fine(page)
    send(page, f"{group}/import", "deck.csv", ODD, "Continue to the columns")
    expect(page.locator("[name=col_country_code]")).to_have_value("1")
    page.get_by_role("button", name="Show changes").click()
    expect(page.get_by_role("button", name="Import: change 13 prices")).to_be_visible()
    expect(page.locator("dl.facts")).to_contain_text("More expensive")
    expect(page.get_by_role("main")).to_contain_text("€0.05 → €0.15 (+€0.10)")
    expect(page.get_by_role("main")).to_contain_text("3 of 3 calls would have another price.")
    is_fine(page)
    page.get_by_role("button", name="Import: change 13 prices").click()
    expect(page.get_by_text("The deck was imported.")).to_be_visible()
    page.goto(f"{group}?q=51")
    expect(page.locator("#results tbody")).to_contain_text("€1,234.50")
    page.goto(group)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("The import was undone.")).to_be_visible()
    expect(page.locator("#results tbody tr")).to_have_count(3)


def test_a_suspended_call_gets_its_price_and_a_wrong_price_is_rerated(
    open_page: Opened, database_url: str
) -> None:
    page = open_page()
    group = priced_group(page, "Plan A", "49", "0,01")
    bind(page, "Plan A")
    submitted(database_url, "clinica-pbx", "s1", called="0033145678901")
    call = f"/calls/{LAST_MONTH:%Y-%m}:clinica-pbx:s1"
    page.goto(call)
    page.get_by_role("link", name="Try").click()
    expect(page.locator("[name=number]")).to_have_value("0033145678901")
    page.get_by_role("button", name="Calculate the price").click()
    expect(page.get_by_role("main")).to_contain_text("No rate")
    is_fine(page)
    set_price(page, group, "33", "0,5")
    page.goto("/suspended")
    line = page.locator("section", has_text="By device").locator("tr", has_text="Clínica").last
    line.get_by_role("button", name="Re-rate").click()
    expect(page.locator("#outcome")).to_be_visible(timeout=20_000)
    page.goto(call)
    expect(page.get_by_role("main")).to_contain_text("€0.5000")
    set_price(page, group, "33", "0,2")
    page.goto("/corrections")
    page.fill("[name=from]", f"{LAST_MONTH:%Y-%m-01}")
    page.fill("[name=to]", f"{LAST_MONTH:%Y-%m-28}")
    page.select_option("[name=group]", label="Plan A · EUR")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#outcome")).to_have_text("What would change", timeout=20_000)
    expect(page.locator("tbody tr", has_text="Clínica")).to_contain_text("€0.3000")
    is_fine(page)
    page.get_by_role("button", name="Apply and post differences").click()
    expect(page.locator("#outcome")).to_have_text("What changed", timeout=20_000)
    page.goto(call)
    expect(page.get_by_role("main")).to_contain_text("€0.2000")
    other = priced_group(page, "Plan B", "33", "0,1")
    page.goto("/corrections")
    page.get_by_label("What another group would have cost").check()
    page.fill("[name=from]", f"{LAST_MONTH:%Y-%m-01}")
    page.fill("[name=to]", f"{LAST_MONTH:%Y-%m-28}")
    page.select_option("[name=company]", label="Clínica Santa Águeda")
    page.select_option("[name=with_group]", label="Plan B · EUR")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#outcome")).to_have_text("What it would have cost", timeout=20_000)
    is_fine(page)
    page.goto(call)
    expect(page.get_by_role("main")).to_contain_text("€0.2000")
    page.goto(other)
    is_fine(page)


def test_a_call_that_two_devices_tell_is_linked_and_charged_once(
    open_page: Opened, database_url: str
) -> None:
    page = open_page()
    priced_group(page, "Plan A", "34", "0,06")
    bind(page, "Plan A")
    bind(page, "Plan A", "hoteles")
    page.goto(PBX)
    page.select_option("#upper", label="Centralita Hoteles")
    page.locator("form[action$='/cascade'] button").click()
    expect(page.get_by_text("Its calls leave through Centralita Hoteles")).to_be_visible()
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    submitted(database_url, "clinica-pbx", "low", called="934567890", at=now)
    later = now + timedelta(seconds=4)
    submitted(database_url, "hoteles-pbx", "up", called="934567890", at=later, caller="205")
    page.goto("/calls")
    watch(database_url)
    page.goto(f"/calls/{now:%Y-%m}:clinica-pbx:low")
    expect(page.get_by_role("main")).to_contain_text("charged here, also reported there")
    page.get_by_role("link", name="charged here, also reported there").click()
    expect(page.get_by_role("main")).to_contain_text("charged there")
    is_fine(page)


def watch(url: str) -> None:
    """Run the policies, once the read models have both records."""
    store, cascades = Store(url), Cascades()
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(400):
            if cascades.watch(connection, store, datetime.now(UTC)):
                break
            cascades = Cascades()
        query = "select 1 from call_list where status = 'voided'"
        for _ in range(400):
            if connection.execute(query).fetchone():
                break
    store.close()


def test_the_number_plan_is_seeded_edited_and_tried(open_page: Opened) -> None:
    page = open_page(viewport=PHONE, theme="dark")
    page.goto("/number-plan/seed")
    page.fill("[name=countries]", "CL")
    page.get_by_role("button", name="Preview the plan").click()
    is_fine(page)
    page.get_by_role("button", name="Replace the built-in plan").click()
    expect(page.get_by_text("The built-in plan was created.")).to_be_visible()
    page.goto("/number-plan/entry")
    page.fill("[name=prefix]", "+56 9 8")
    page.fill("[name=area]", "Chile, un operador")
    page.select_option("[name=type]", label="Mobile")
    page.fill("[name=country]", "CL")
    page.get_by_role("button", name="Save the entry").click()
    page.goto("/number-plan")
    page.fill("[name=test]", "+56 9 8123 4567")
    page.get_by_role("button", name="Try", exact=True).click()
    expect(page.locator(".answer")).to_contain_text("Chile, un operador")
    is_fine(page)

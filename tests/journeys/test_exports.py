"""Columns, drill-down and downloads in a real Chromium; each file is compared with its page."""

import csv
import io
import re
from datetime import timedelta
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from openpyxl.reader.excel import load_workbook
from playwright.sync_api import Page, expect

from tests.journeys.conftest import IN_BROWSER, PHONE, Opened

pytestmark = IN_BROWSER
CHOSEN = ("User account", "Direction", "Flags", "Billed time")


def choose(page: Page, *names: str) -> None:
    """Choose columns in addition to the usual ones."""
    page.get_by_role("link", name="Columns").click()
    for name in names:
        page.get_by_role("checkbox", name=name, exact=True).check()
    page.get_by_role("button", name="Save").click()


def heads(page: Page) -> list[str]:
    return [each.strip() for each in page.locator("thead th").all_inner_texts()]


def shown(page: Page) -> list[dict[str, str]]:
    """Return the rows of the page by their headers."""
    names = heads(page)
    return [
        dict(zip(names, row.locator("td").all_inner_texts(), strict=True))
        for row in page.locator("tbody tr").all()
    ]


def downloaded(page: Page, kind: str) -> bytes:
    page.locator("details summary").filter(has_text="Export").click()
    with page.expect_download() as file:
        page.get_by_role("link", name=kind).first.click()
    page.keyboard.press("Escape")
    return file.value.path().read_bytes()


def test_columns_are_chosen_by_click_and_stay(open_page: Opened) -> None:
    page = open_page()
    page.get_by_role("radio", name="Local").check()
    expect(page.locator("tfoot")).to_contain_text("60 calls")
    choose(page, *CHOSEN)
    expect(page).to_have_url(re.compile(r"/calls\?class=local$"))
    expect(page.get_by_role("status")).to_contain_text("The columns are kept for you.")
    assert heads(page)[-4:] == [*CHOSEN[:1], "Direction", "Flags", "Billed time"]
    page.get_by_role("link", name="Columns").click()
    page.get_by_role("button", name="Move Amount up").click()
    page.get_by_role("button", name="Save").click()
    assert heads(page).index("Amount") < heads(page).index("Talk time")
    for theme, size in (("dark", PHONE), ("light", None)):
        other = open_page(theme=theme, language="es", **({"viewport": size} if size else {}))
        for address in ("/calls", "/calls/columns"):
            other.goto(address)
            found = Axe().run(other)
            assert found.violations_count == 0, found.generate_report()
            assert other.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_columns_are_chosen_without_scripts(open_page: Opened) -> None:
    page = open_page(java_script_enabled=False)
    choose(page, "Caller")
    page.get_by_role("link", name="Columns").click()
    page.get_by_role("button", name="Move Caller up").click()
    page.get_by_role("button", name="Save").click()
    assert heads(page)[-2:] == ["Caller", "Amount"]
    page.get_by_role("link", name="Columns").click()
    page.get_by_role("button", name="Restore the default columns").click()
    assert "Caller" not in heads(page)


def test_the_workbook_of_a_filter_is_the_page_cell_by_cell(open_page: Opened) -> None:
    page = open_page()
    choose(page, *CHOSEN)
    page.get_by_label("Company").select_option("Clínica Santa Águeda")
    page.locator("#q").fill("914230628")
    expect(page).to_have_url(re.compile("q=914230628&company=clinica"))
    expect(page.locator("tfoot")).to_contain_text("30 calls")
    rows = shown(page)
    book = load_workbook(io.BytesIO(downloaded(page, "Excel")))  # type: ignore[no-untyped-call]
    sheet = book.worksheets[0]
    names = [cell.value for cell in sheet[1]]
    cells = [dict(zip(names, row, strict=True)) for row in sheet.iter_rows(2, values_only=True)]
    total = cells.pop()
    assert len(cells) == len(rows) == 30
    for row, own in zip(rows, cells, strict=True):
        compare(row, own)
    foot = page.locator("tfoot").inner_text()
    assert f"€{total['Amount']:.2f}" in foot
    charged = [own for own in cells if own["Status"] in ("Rated", "Re-rated")]
    assert total["Company"] == "Total of charged calls"
    assert round(sum(own["Amount"] for own in charged), 6) == total["Amount"]
    assert sum((own["Talk time"] for own in charged), timedelta()) == total["Talk time"]
    said = {row[0].value: row[1].value for row in book["About"].iter_rows()}
    filters = (said["Company"], said["Number or extension"])
    assert filters == ("Clínica Santa Águeda", "914230628")
    text = downloaded(page, "CSV").decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["Number"].lstrip("'") for line in lines] == [own["Number"] for own in cells]


def compare(row: dict[str, str], own: dict[str, Any]) -> None:
    """Compare a row of the page with one of the workbook."""
    when = own["Date and time (Europe/Madrid)"]
    assert f"{when:%H:%M:%S}" in row["Date and time"]
    for head in ("Company", "Extension", "Destination", "Device"):
        assert row[head].strip().endswith(own[head])
    assert row["Number"].strip().startswith(own["Number"])
    assert row["Direction"].strip().endswith(own["Direction"])
    if row["Result"].strip() == "Answered":
        assert row["Amount"].strip() == f"€{own['Amount']:.4f}"
        assert row["Talk time"].strip() == str(own["Talk time"]).partition(".")[0]
        assert row["Billed time"].strip().endswith(str(own["Billed time"]))


def test_a_figure_leads_to_its_calls_and_stands_in_the_workbook(open_page: Opened) -> None:
    page = open_page()
    page.goto("/statistics?measure=calls")
    ranking = page.locator("section[aria-labelledby=c4] tbody tr")
    figures = {}
    for row in ranking.all():
        name = row.locator("td.co").inner_text()
        figures[name] = int(row.locator("td").nth(1).inner_text())
    book = load_workbook(io.BytesIO(downloaded(page, "Excel")))  # type: ignore[no-untyped-call]
    found = {row[0]: row[2] for row in book["Accounts"].iter_rows(2, values_only=True)}
    assert found.pop("Total") == sum(figures.values()) == 172
    assert found == figures
    position = re.search(r"As of log position ([\d,]+)", page.locator(".asof").inner_text())
    said = {row[0].value: row[1].value for row in book["About"].iter_rows()}
    assert position
    assert said["Log position"] == position[1].replace(",", "")
    name, number = next(iter(figures.items()))
    ranking.first.locator("td").nth(1).get_by_role("link").click()
    expect(page.locator("tfoot")).to_contain_text(f"{number} calls")
    assert page.get_by_label("Company").input_value(), name


def test_a_download_is_found_again_in_the_list(open_page: Opened) -> None:
    page = open_page()
    page.goto("/companies")
    downloaded(page, "Excel")
    page.get_by_label("Account menu").click()
    page.locator(".menu").get_by_role("link", name="My exports").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    with page.expect_download() as again:
        page.get_by_role("link", name="Companies.xlsx").click()
    assert again.value.path().read_bytes()[:2] == b"PK"

"""A deck is uploaded, previewed, imported in one event, undone, and exported again."""

import html
import io
import re
import zipfile
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import xlsxwriter

from billing.aggregates.rate_group import DeckImported
from billing.log.store import Store
from tests.web.rates.test_rate_groups import PRICE, create, send
from tests.web.serving import SignIn, following

DECK = "Destino;Prefijo;Precio\nChile móvil;569;0,02\nPerú;51, 511;0,03\n"
PBX = "/devices/clinica-pbx"
COLUMNS = {
    "header": "1",
    "col_name": "0",
    "col_prefix": "1",
    "col_price": "2",
    "unit": "60",
    "increment": "1",
    "effective_from": "2026-01-01",
}


def test_from_the_upload_to_the_undo(site: str, database_url: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    with following(database_url):
        group = create(client, "Mayorista")
        send(client, f"{group}/price", **PRICE)
        token = re.search(r'name="csrf" value="([^"]+)"', client.get(f"{group}/import").text)
        assert token
        answer = client.post(
            f"{group}/import", data={"csrf": token[1]}, files={"file": ("deck.csv", DECK.encode())}
        )
        assert answer.status_code == 303, answer.text
        deck = answer.headers["location"]
        guessed = client.get(deck).text
        assert '<option value="1" selected>B · Prefijo' in guessed
        preview = send(client, deck, **COLUMNS).text
        assert "Import: change 3 prices" in preview
        assert re.search(r"<dt>More expensive</dt><dd>1</dd>", preview)
        assert re.search(r"<dt>New</dt><dd>2</dd>", preview)
        assert "€0.03" not in client.get(group).text
        send(client, f"{deck}/apply")
        send(client, f"{deck}/apply")  # a second time: nothing changes
        page = client.get(group).text
        assert "€0.03" in page
        assert "deck.csv" in page
        sheet = client.get(f"{group}/export/csv").text
        assert "511,Perú,0.03,1/1" in sheet
        assert client.get(f"{group}/export/xlsx").content.startswith(b"PK")
        send(client, group + "/imports/" + deck.rpartition("/")[2] + "/undo")
        page = client.get(group).text
    assert "€0.03" not in page
    assert "€0.0125" in page
    log = Store(database_url).load("rate-group:" + group.rpartition("/")[2])
    assert sum(isinstance(each.event, DeckImported) for each in log) == 1


def test_wrong_rows_are_named_and_nothing_can_be_imported(
    site: str, database_url: str, sign_in: SignIn
) -> None:
    client = sign_in(site)
    with following(database_url):
        group = create(client, "Mayorista")
        token = re.search(r'name="csrf" value="([^"]+)"', client.get(f"{group}/import").text)
        assert token
        sent = {"csrf": token[1]}
        bad = {"file": ("deck.csv", (DECK + "Malo;x;-1\n").encode())}
        deck = client.post(f"{group}/import", data=sent, files=bad).headers["location"]
        page = send(client, deck, **COLUMNS).text
        assert "1 row is wrong" in page
        assert "be negative." in page
        assert "/apply" not in page
        answer = client.post(f"{group}/import", data=sent, files={"file": ("a.xlsx", b"PK\3\4")})
    assert answer.status_code == 422
    assert "a.xlsx is damaged." in answer.text


def formula() -> bytes:
    made = io.BytesIO()
    book = xlsxwriter.Workbook(made)
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ("Prefijo", "Precio"))
    sheet.write_row(1, 0, ("34", "0,1"))
    sheet.write_formula(2, 1, "=B2*2")
    book.close()
    return made.getvalue()


def bomb(sheet: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
    return made.getvalue()


ENTITIES = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><worksheet>&b;</worksheet>'


@pytest.mark.parametrize(
    "case",
    [
        ("f.xlsx", formula, 422, "Row 3, column 2 holds a formula."),
        ("bomb.xlsx", lambda: bomb(b" " * 100_000_000), 422, "far more than its size"),
        ("e.xlsx", lambda: bomb(ENTITIES), 422, "is not a spreadsheet"),
        ("hundred.csv", lambda: b"34;0.1\n" * 15_000_000, 413, "too large"),
        ("large.csv", lambda: b"34;0.1\n" * 3_600_000, 422, "The limit is 25 MB"),
        ("old.xls", lambda: b"\xd0\xcf\x11\xe0" + bytes(600), 422, "old or a protected Excel"),
    ],
    ids=["formula", "bomb", "entities", "100 MB", "25 MB", "old"],
)
def test_a_sheet_that_is_none_or_harms_is_refused_in_words(
    site: str, database_url: str, sign_in: SignIn, case: tuple[str, Callable[[], bytes], int, str]
) -> None:
    name, content, status, said = case
    client = sign_in(site)
    with following(database_url):
        group = create(client, "Mayorista")
    token = re.search(r'name="csrf" value="([^"]+)"', client.get(f"{group}/import").text)
    assert token
    for address in (f"{group}/import", "/number-plan/import", f"{PBX}/extensions/import"):
        sent: dict[str, Any] = {"data": {"csrf": token[1]}, "files": {"file": (name, content())}}
        answer = client.post(address, **sent)
        assert (answer.status_code, said in html.unescape(answer.text)) == (status, True)
        with psycopg.connect(database_url) as connection:
            count = connection.execute("select count(*) from deck_uploads").fetchone()
        assert count == (0,)

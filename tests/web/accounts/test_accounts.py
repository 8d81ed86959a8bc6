"""Actions of administrators on accounts over HTTP, their refusals, and what auditors may see."""

import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unicodedata import normalize
from zoneinfo import ZoneInfo

import httpx
import psycopg
import pytest
from openpyxl.reader.excel import load_workbook
from openpyxl.workbook.workbook import Workbook
from pypdf import PdfReader

from billing.aggregates.statement import Totals
from billing.log.store import Store
from billing.policies.closing import close_books
from billing.queries.money import AccountView
from billing.queries.statements import Statement
from billing.web.accounts.statement_files import statement_pdf
from tests.web.serving import SignIn, add_administrator, catch_up, following

CLINIC = "/accounts/company:clinica"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture
def marta(database_url: str, site: str, sign_in: SignIn) -> Iterator[httpx.Client]:
    """A client of marta, on an installation with running read models."""
    with following(database_url):
        yield sign_in(site)


def post(client: httpx.Client, path: str, files: object = None, **fields: str) -> httpx.Response:
    """Send a form of a page with the session's token."""
    token = re.search(r'"X-CSRF-Token":"([^"]+)"', client.get("/companies").text)
    assert token
    return client.post(path, data={"csrf": token[1], **fields}, files=files)  # type: ignore[arg-type]


def balance(database_url: str, account: str = "company:clinica") -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "select balance_micros from balances where account = %s", (account,)
        ).fetchone()
    assert row
    return int(row[0])


def test_a_company_is_opened_bound_and_recharged(database_url: str, marta: httpx.Client) -> None:
    fields = {"currency": "EUR", "time_zone": "Europe/Madrid", "payment": "prepaid"}
    answer = post(marta, "/companies/new", name="Óptica Lux", **fields)
    assert answer.status_code == 303
    place = answer.headers["location"]
    page = marta.get(place)
    assert "Óptica Lux" in page.text
    assert "Next, assign a rate group." in page.text
    assert "Next, assign a rate group." not in marta.get(place).text
    assert post(marta, f"{place}/recharge", amount="1.250,50", reason="Cash").status_code == 303
    assert balance(database_url, place.removeprefix("/accounts/")) == 1_250_500_000
    assert "€1,250.50" in marta.get(place).text


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("1e9", "is not an amount"),
        ("-5", "A recharge is a positive amount in EUR."),
        ("0", "A recharge is a positive amount in EUR."),
        ("0.12345678901234567890", "more than 6 decimals"),
        ("1.234", "thousands or decimals"),
        ("", "Required"),
    ],
)
def test_a_wrong_amount_is_said_beside_its_field(
    database_url: str, marta: httpx.Client, amount: str, said: str
) -> None:
    before = balance(database_url)
    answer = post(marta, f"{CLINIC}/recharge", amount=amount, reason="Cash")
    assert answer.status_code == 422
    assert said in answer.text
    assert balance(database_url) == before


def test_amounts_are_taken_as_the_reader_writes_them(
    database_url: str, marta: httpx.Client
) -> None:
    before = balance(database_url)
    for amount in ("12,50", "12.50"):
        assert post(marta, f"{CLINIC}/recharge", amount=amount, reason="x").status_code == 303
    assert balance(database_url) == before + 25_000_000


def test_a_reference_is_taken_once_and_a_recharge_reversed_once(
    database_url: str, marta: httpx.Client
) -> None:
    before = balance(database_url)
    fields = {"amount": "40", "reason": "Transfer", "reference": "TR-1"}
    assert post(marta, f"{CLINIC}/recharge", **fields).status_code == 303
    again = post(marta, f"{CLINIC}/recharge", **fields)
    assert again.status_code == 422
    assert "A recharge with the reference TR-1 was already made." in again.text
    version = re.search(r"reverse\?version=(\d+)", marta.get("/movements").text)
    assert version
    fields = {"version": version[1], "reason": "Wrong account"}
    assert post(marta, f"{CLINIC}/reverse", **fields).status_code == 303
    assert balance(database_url) == before
    assert "already reversed" in post(marta, f"{CLINIC}/reverse", **fields).text


def test_the_later_of_two_is_told_what_the_first_changed(
    database_url: str, marta: httpx.Client
) -> None:
    seen = re.search(r'name="seen" value="(\d+)"', marta.get(f"{CLINIC}/limits").text)
    assert seen
    first = post(marta, f"{CLINIC}/limits", credit_limit="100", seen=seen[1])
    assert first.status_code == 303
    # Money received in the meantime does not change the settings.
    post(marta, f"{CLINIC}/recharge", amount="5", reason="x")
    later = post(marta, f"{CLINIC}/limits", credit_limit="200", seen=seen[1])
    assert later.status_code == 409
    assert "Credit limit: €100.00." in later.text
    assert "Changed in the meantime" in later.text
    seen = re.search(r'name="seen" value="(\d+)"', later.text)
    assert seen
    assert post(marta, f"{CLINIC}/limits", credit_limit="200", seen=seen[1]).status_code == 303


def test_a_frozen_account_is_recharged_and_a_closed_one_is_not(
    database_url: str, marta: httpx.Client
) -> None:
    assert post(marta, f"{CLINIC}/freeze", reason="Unpaid").status_code == 303
    assert "Frozen: Unpaid" in marta.get(CLINIC).text
    assert post(marta, f"{CLINIC}/recharge", amount="5", reason="x").status_code == 303
    assert post(marta, f"{CLINIC}/unfreeze", reason="Paid").status_code == 303
    assert post(marta, f"{CLINIC}/close", reason="Left").status_code == 422, "what of its money?"
    held = {"balance": str(balance(database_url)), "settlement": "later"}
    assert post(marta, f"{CLINIC}/close", reason="Left", **held).status_code == 303
    assert post(marta, f"{CLINIC}/unfreeze", reason="Back").status_code == 422
    assert "Adjust the balance" in marta.get(CLINIC).text
    assert post(marta, f"{CLINIC}/adjust", amount="-1", reason="Refunded").status_code == 303
    answer = post(marta, f"{CLINIC}/recharge", amount="5", reason="x")
    assert answer.status_code == 422
    assert "This account is closed." in answer.text


def test_user_accounts_get_extensions_of_their_company_only(marta: httpx.Client) -> None:
    answer = post(marta, "/user-accounts/new", company="clinica", name="Rayos", own_wallet="yes")
    place = answer.headers["location"]
    fields = {"device": "clinica-pbx", "lines": "101, 102"}
    assert post(marta, f"{place}/lines", **fields).status_code == 303
    assert "102" in marta.get(place).text
    other = post(marta, f"{place}/lines", device="hoteles-pbx", lines="101")
    assert other.status_code == 422
    assert "belongs to another company" in other.text
    assert "Rayos" in marta.get("/user-accounts?q=102").text


def read_back(client: httpx.Client, path: str) -> Any:
    """Return a downloaded workbook."""
    return load_workbook(io.BytesIO(client.get(path).content))  # type: ignore[no-untyped-call]


def sheet(*rows: tuple[object, ...]) -> dict[str, tuple[str, bytes, str]]:
    book = Workbook()  # type: ignore[no-untyped-call]
    page = book.active
    assert page
    for row in rows:
        page.append(row)
    out = io.BytesIO()
    book.save(out)  # type: ignore[no-untyped-call]
    return {"file": ("accounts.xlsx", out.getvalue(), XLSX)}


def test_accounts_come_from_a_sheet_all_or_none(marta: httpx.Client) -> None:
    good = sheet(
        ("Nombre", "Extensiones", "Saldo propio"), ("Ana", "201 202", "sí"), ("Luis", 203, "no")
    )
    preview = post(marta, "/user-accounts/import", files=good, company="clinica")
    assert preview.status_code == 200
    assert "201 202" in preview.text
    token = re.search(r'action="/imports/([^"]+)"', preview.text)
    assert token
    assert "Ana" not in marta.get("/user-accounts").text
    assert post(marta, f"/imports/{token[1]}").status_code == 303
    assert "Ana" in marta.get("/user-accounts?q=202").text
    assert post(marta, f"/imports/{token[1]}").status_code == 404


def test_every_wrong_row_of_a_sheet_is_named(marta: httpx.Client) -> None:
    bad = sheet(
        ("Name", "Extensions", "Device", "Own balance"),
        ("", "201", "", ""),
        ("Ana", "201", "hoteles-pbx", "maybe"),
        ("ANA", "202", "nowhere", "no"),
        ("Eva", "301 302", "clinica-pbx", ""),
        ("Leo", "302 101", "clinica-pbx", ""),
    )
    answer = post(marta, "/user-accounts/import", files=bad, company="clinica")
    assert answer.status_code == 422
    for words in (
        "An account needs a name.",
        "201 of Centralita Hoteles belongs to another company.",
        "Write yes or no.",
        "This name appears twice in the spreadsheet.",
        "There is no device nowhere.",
        "302 is also in row 5.",
        "belongs to the account Recepción.",
    ):
        assert words in answer.text, words
    assert "/imports/" not in answer.text


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_exported_accounts_are_imported_without_a_change(marta: httpx.Client, kind: str) -> None:
    exported = marta.get(f"/user-accounts/export.{kind}?company=clinica").content
    files = {"file": (f"accounts.{kind}", exported, "application/octet-stream")}
    again = post(marta, "/user-accounts/import", files=files, company="clinica")
    assert again.status_code == 200, again.text
    assert again.text.count("As it is") == again.text.count("<tr>") - 1 == 1


def test_recharges_come_from_a_csv(database_url: str, marta: httpx.Client) -> None:
    before = balance(database_url)
    name = normalize("NFD", "clínica  Santa\N{NO-BREAK SPACE}Águeda")
    text = f"cuenta;importe;motivo;referencia\n{name};1.250,50 €;Transferencia;TR-7\n"
    files = {"file": ("recargas.csv", text.encode(), "text/csv")}
    preview = post(marta, "/movements/import", files=files)
    token = re.search(r'action="/imports/([^"]+)"', preview.text)
    assert token, preview.text
    assert post(marta, f"/imports/{token[1]}").status_code == 303
    assert balance(database_url) == before + 1_250_500_000
    again = post(marta, "/movements/import", files=files)
    token = re.search(r'action="/imports/([^"]+)"', again.text)
    assert token
    refused = post(marta, f"/imports/{token[1]}")
    assert "A recharge with the reference TR-7 was already made." in refused.text
    assert balance(database_url) == before + 1_250_500_000


def test_the_recharge_record_is_filtered_totalled_and_exported(
    database_url: str, marta: httpx.Client
) -> None:
    post(marta, f"{CLINIC}/adjust", amount="-2.50", reason="=cmd|' /C calc'!A0")
    text = marta.get("/movements?kind=adjustment").text
    assert "-€2.50" in text.replace("\N{MINUS SIGN}", "-")
    book = read_back(marta, "/movements/export.xlsx")
    rows = list(book.worksheets[0].iter_rows(values_only=True))
    assert rows[1][6] == -2.5
    assert rows[1][9] == "=cmd|' /C calc'!A0"
    assert book.worksheets[0].cell(2, 10).data_type == "s"
    assert "'=cmd" in marta.get("/movements/export.csv?kind=adjustment").text
    listed = marta.get("/user-accounts/export.csv").text
    assert listed.startswith("\ufeffName,Company")


def test_an_account_is_closed_and_its_money_given_back_at_once(
    database_url: str, marta: httpx.Client
) -> None:
    assert post(marta, f"{CLINIC}/recharge", amount="50", reason="cash").status_code == 303
    held = balance(database_url)
    fields = {"reason": "Left", "settlement": "now"}
    stale = post(marta, f"{CLINIC}/close", balance=str(held - 1), **fields)
    assert stale.status_code == 422
    assert "The balance is now" in stale.text
    assert post(marta, f"{CLINIC}/close", balance=str(held), **fields).status_code == 303
    assert abs(balance(database_url)) < 5_000, "less than half a cent, for the next statement"
    assert "Closed" in marta.get(CLINIC).text


def close_november(database_url: str) -> None:
    store = Store(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        for _ in range(8):
            close_books(connection, store, datetime.now(UTC) + timedelta(days=32))
            catch_up(database_url, store)
    store.close()


def test_a_statement_adds_up_on_the_page_and_in_its_files(
    database_url: str, site: str, sign_in: SignIn
) -> None:
    close_november(database_url)
    client = sign_in(site)
    page = client.get(f"{CLINIC}/statements").text
    month = re.findall(r"statements/(\d{4}-\d\d)", page)[-1]
    place = f"{CLINIC}/statements/{month}"
    assert "The calls of this statement" in client.get(place).text
    book = read_back(client, f"{place}/statement.xlsx")
    lines = dict(book["Statement"].iter_rows(min_row=2, values_only=True))
    opening, closing = lines["Opening balance"], lines["Closing balance"]
    moved = lines["Recharges"] + lines["Calls"] + lines.get("Rounding", 0)
    assert opening + moved == pytest.approx(closing)
    assert closing * 100 == pytest.approx(round(closing * 100)), "an amount that can be paid"
    classes = list(book["Charges by class"].iter_rows(min_row=2, values_only=True))
    assert sum(row[3] for row in classes) == pytest.approx(-lines["Calls"], abs=1e-9)
    calls = list(book["Calls"].iter_rows(min_row=2, values_only=True))
    assert sum(row[6] for row in calls) == pytest.approx(-lines["Calls"])
    csv = client.get(f"{place}/calls.csv").text.splitlines()
    assert len(csv) == len(calls) + 1
    pdf = client.get(f"{place}/statement.pdf")
    assert pdf.headers["content-type"] == "application/pdf"
    shown = text_of(pdf.content)
    assert "Clínica Santa Águeda" in shown
    seen = re.search(r'name="seen" value="(\d+)"', client.get(f"{CLINIC}/edit").text)
    assert seen
    fields = {"name": "Otra S.L.", "time_zone": "Europe/Madrid", "payment": "postpaid"}
    with following(database_url):
        assert post(client, f"{CLINIC}/edit", seen=seen[1], **fields).status_code == 303
    assert "Otra S.L." in client.get(CLINIC).text
    assert text_of(client.get(f"{place}/statement.pdf").content) == shown, "as it was closed"
    assert "Clínica Santa Águeda" in client.get(place).text
    assert client.get(f"{CLINIC}/statements/1999-01").status_code == 404


@pytest.mark.parametrize(
    "name", ["Łódź Żółw", "Ñandú Güemes", "Жуков Ωμέγα", "上海电缆", "かな 東京", "서울"]
)
def test_a_pdf_shows_a_name_in_any_script(name: str) -> None:
    view = AccountView(
        **dict.fromkeys(("company_id", "company", "state", "time_zone", "rate_group", "payment",
                         "frozen_reason", "warn_email"), ""),
        account="company:x", kind="company", name=name, currency="EUR", own_wallet=True,
        opened_at=datetime.now(UTC), version=1, frozen_by_policy=False, warned=False,
        credit_limit_micros=None, low_balance_micros=None, freeze_at_limit=False,
        balance_micros=0, charged_micros=0, credited_micros=0, calls=0,
    )  # fmt: skip
    statement = Statement(view, "2026-10", 0, Totals(), datetime.now(UTC))
    assert name in text_of(statement_pdf(statement, ZoneInfo("Europe/Madrid"), "es"))


def text_of(pdf: bytes) -> str:
    """The text of a PDF as somebody copies it out of a viewer."""
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def test_auditors_see_the_history_replay_it_and_change_nothing(
    database_url: str, site: str, sign_in: SignIn
) -> None:
    add_administrator(database_url, "ana", "auditor")
    with following(database_url):
        client = sign_in(site, "ana")
        assert client.get(f"{CLINIC}/recharge").status_code == 403
        assert post(client, f"{CLINIC}/recharge", amount="5", reason="x").status_code == 403
        text = client.get(f"{CLINIC}/history?kind=money").text
        assert "Recharged: €250.00." in text
        older = re.search(r'href="([^"]+)"[^>]*>Older', client.get(f"{CLINIC}/history").text)
        assert older
        assert client.get(older[1].replace("&amp;", "&")).status_code == 200
        assert "not opened yet" not in client.get(f"{CLINIC}/moment?days=0").text
        place = post(client, f"{CLINIC}/replay").headers["location"]
        for _ in range(200):
            text = client.get(place).text
            if "The log is being read" not in text:
                break
        assert "Balance verified" in text


def test_evidence_has_every_event_and_the_seals_over_them(
    database_url: str, site: str, sign_in: SignIn
) -> None:
    client = sign_in(site)
    lines = [json.loads(line) for line in client.get(f"{CLINIC}/evidence.ndjson").text.splitlines()]
    moved = sum(line["moved_micros"] for line in lines if "stream" in line)
    assert moved == balance(database_url)
    seals = [line["seal"] for line in lines if "seal" in line]
    positions = [line["position"] for line in lines if "stream" in line]
    assert all(
        any(seal["first_position"] <= at <= seal["last_position"] for seal in seals)
        for at in positions
    )
    book = read_back(client, f"{CLINIC}/evidence.xlsx")
    assert book.sheetnames == ["Events", "Seals", "About"]
    assert book["Events"].max_row == len(positions) + 1


@pytest.mark.parametrize("place", ["company:nobody", "x", "user:"])
def test_an_account_that_is_not_there_is_not_found(site: str, sign_in: SignIn, place: str) -> None:
    client = sign_in(site)
    for path in ("", "/history", "/statements", "/recharge", "/evidence.ndjson"):
        assert client.get(f"/accounts/{place}{path}").status_code == 404, path

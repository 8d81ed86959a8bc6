"""Exports hold exactly the calls of the filter, and nothing a spreadsheet would run."""

import csv
import io
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import msgspec
import psycopg
import pytest
from openpyxl.reader.excel import load_workbook

from billing.queries.calls import CallRow
from billing.web.calls.files import CallCsv, CallWriter
from billing.web.files import tables
from billing.web.files.tables import unformula
from billing.web.kit.i18n import set_language
from tests.web.serving import ZONE, SignIn, add_administrator, add_token

ROW = CallRow(
    started_at=datetime(2026, 7, 1, 22, 30, tzinfo=UTC),
    call_id="2026-07:d:k",
    company_id="c",
    company='=HYPERLINK("http://evil.example")',
    device="@d",
    user="",
    gateway="",
    extension="101",
    caller="101",
    dialled="914230628",
    number="+34914230628",
    area="-Madrid",
    call_class="local",
    direction="outbound",
    result="answered",
    status="rated",
    reason="",
    talk_ms=90_500,
    billed_seconds=91,
    amount_micros=123_400,
    currency="EUR",
    rate_name="\tlocal",
    flags=["over_24h"],
    conflicts=0,
)


def test_csv_holds_exactly_the_filter(site: str, sign_in: SignIn) -> None:
    answer = sign_in(site).get("/calls/export.csv?class=local&company=clinica")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert 'filename="calls_' in answer.headers["content-disposition"]
    found = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(found) == 60
    assert {row["Company"] for row in found} == {"Clínica Santa Águeda"}
    assert {row["Class"] for row in found} == {"Local"}
    assert f"Date and time ({ZONE})" in found[0]


def test_spanish_csv_is_for_spanish_spreadsheets(site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    client.cookies.set("language", "es", domain="127.0.0.1")
    text = client.get("/calls/export.csv?result=answered").content.decode("utf-8-sig")
    found = list(csv.DictReader(io.StringIO(text), delimiter=";"))
    assert found[0]["Importe"].count(",") == 1
    assert found[0]["Empresa"] == "Clínica Santa Águeda"


def test_excel_holds_exactly_the_filter_and_its_totals(
    database_url: str, site: str, sign_in: SignIn
) -> None:
    answer = sign_in(site).get("/calls/export.xlsx?company=clinica")
    assert answer.status_code == 200
    book = load_workbook(io.BytesIO(answer.content))  # type: ignore[no-untyped-call]
    sheet, about = book.worksheets
    assert sheet.freeze_panes == "A2"
    assert sheet.max_row == 92  # with the totals
    heads = [cell.value for cell in sheet[1]]
    first = dict(zip(heads, [cell.value for cell in sheet[2]], strict=True))
    assert isinstance(first[f"Date and time ({ZONE})"], datetime)
    assert isinstance(first["Amount"], float)
    assert first["Number"].startswith("+34")
    said = {row[0].value: row[1].value for row in about.iter_rows() if row[0].value}
    assert said["Company"] == "Clínica Santa Águeda"
    assert said["Time zone"] == ZONE
    assert said["Rows"] == 90
    assert int(said["Log position"]) > 180
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "select sum(amount_micros) from call_list"
            " where company_id = 'clinica' and status = 'rated'"
        ).fetchone()
    assert row
    assert said["Amount in EUR"] == pytest.approx(int(row[0]) / 1_000_000)


def test_a_large_export_is_waited_for(
    site: str, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.web.files.delivery.PATIENCE_SECONDS", 0.0)
    client = sign_in(site)
    started = client.get("/calls/export.xlsx")
    assert started.status_code == 302
    for _ in range(200):
        state = client.get(started.headers["location"]).text
        if "The file is ready" in state:
            break
    file = client.get(started.headers["location"] + "/file")
    assert file.status_code == 200
    book = load_workbook(io.BytesIO(file.content))  # type: ignore[no-untyped-call]
    assert book.worksheets[0].max_row == 182


def test_an_export_belongs_to_who_asked_for_it(
    database_url: str, site: str, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.web.files.delivery.PATIENCE_SECONDS", 0.0)
    add_administrator(database_url, "otra")
    place = sign_in(site).get("/calls/export.xlsx").headers["location"]
    assert sign_in(site, "otra").get(place).status_code == 404


def test_an_address_that_makes_no_sense_exports_nothing(site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    assert client.get("/calls/export.csv?class=x").status_code == 400
    assert client.get("/calls/export.xlsx?from=x").status_code == 400


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1+1",
        "-1-1",
        "+34 600",
        "+34,600,1",
        "+cmd|x",
        "-2+3+cmd",
        "+",
        "-",
        "+1\n",
        "+\N{ARABIC-INDIC DIGIT ONE}",
        "@x",
        "\t=1",
        "\r=1",
    ],
)
def test_what_looks_like_a_formula_is_text(text: str) -> None:
    assert unformula(text) == f"'{text}"
    assert unformula("a" + text) == "a" + text


@pytest.mark.parametrize("text", ["+34600123456", "-1", "-5,20", "+1.5", "0012", "34"])
def test_a_number_is_no_formula(text: str) -> None:
    assert unformula(text) == text


def test_csv_escapes_every_text() -> None:
    set_language("en")
    file = io.BytesIO()
    CallCsv(file, ZoneInfo(ZONE)).add([ROW])
    _, line = csv.reader(io.StringIO(file.getvalue().decode()))
    assert line[0] == "2026-07-02 00:30:00"
    begun = [cell for cell in line if cell.startswith(tables.FORMULA_STARTS)]
    assert begun == [ROW.number]
    assert line[16:19] == ["90.5", "91", "0.1234"]


def test_excel_keeps_formulas_as_text_and_goes_on_on_further_sheets(tmp_path: Path) -> None:
    path = tmp_path / "calls.xlsx"
    writer = CallWriter(path, ZoneInfo(ZONE), "en", most_rows=3)
    suspended = msgspec.structs.replace(ROW, status="suspended", amount_micros=0)
    writer.add([ROW] * 4)
    writer.add([ROW, suspended, ROW])
    writer.finish([("From", "1 Jul 2026")])
    book = load_workbook(path)  # type: ignore[no-untyped-call]
    assert book.sheetnames == ["Calls", "Calls 2", "Calls 3", "About"]
    assert [book[name].max_row for name in book.sheetnames[:3]] == [4, 4, 3]
    cells = list(book["Calls"][2])
    assert cells[0].value == datetime(2026, 7, 2, 0, 30)  # noqa: DTZ001 -- a cell has no time zone
    assert {cell.data_type for cell in cells} <= {"s", "n", "d"}, "no cell is a formula"
    assert cells[1].value == ROW.company
    assert cells[16].value == timedelta(seconds=90, milliseconds=500)
    sums = list(book["Calls 3"][3])
    assert [cell.value for cell in sums[16:20]] == [
        timedelta(seconds=6 * 90.5),
        timedelta(seconds=6 * 91),
        pytest.approx(6 * 0.1234),
        "EUR",
    ]
    said = {row[0].value: row[1].value for row in book["About"].iter_rows() if row[0].value}
    assert said["Rows"] == 7
    assert said["Amount in EUR"] == pytest.approx(6 * 0.1234)


def test_a_file_is_named_in_plain_letters() -> None:
    named = tables.attachment("estadísticas_Año 1/2.xlsx")
    assert named["content-disposition"] == 'attachment; filename="estadisticas_Ano-1-2.xlsx"'


@pytest.fixture
def stuck(
    database_url: str, site: str, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[httpx.Client, str, psycopg.Connection]]:
    """Start an export that waits for a table locked by another connection."""
    monkeypatch.setattr("billing.web.files.delivery.PATIENCE_SECONDS", 0.0)
    client = sign_in(site)
    with psycopg.connect(database_url) as connection:
        connection.execute("lock table call_list in access exclusive mode")
        # The totals of charged calls are read from roll-ups: only the rows wait.
        begun = client.get("/calls/export.xlsx?status=charged")
        assert begun.status_code == 302
        yield client, begun.headers["location"], connection


def state_of(client: httpx.Client, place: str, said: str) -> None:
    """Wait until the page of an export contains a text."""
    for _ in range(500):
        if said in client.get(place).text:
            return
        time.sleep(0.02)
    raise AssertionError(client.get(place).text)


def test_while_two_are_made_for_a_person_a_third_is_not_begun(
    stuck: tuple[httpx.Client, str, psycopg.Connection],
    database_url: str,
    site: str,
    sign_in: SignIn,
) -> None:
    client, place, lock = stuck
    assert "The file is being created" in client.get(place).text
    assert client.get(f"{place}/file").status_code == 404
    other = client.get("/calls/export.csv?status=charged").headers["location"]
    for path in ("/companies/export.xlsx", "/statistics/periods.csv", "/movements/export.csv"):
        refused = client.get(path)
        assert refused.status_code == 429, path
        assert "Files are already being prepared for you." in refused.text
        assert place in refused.text
        assert int(refused.headers["retry-after"]) > 0
    token = {"authorization": f"Bearer {add_token(database_url, 'accounts')}"}
    told = httpx.get(f"{site}/companies/export.csv", headers=token, timeout=60)
    assert (told.status_code, told.json()["status"]) == (429, 429), "a program is the same person"
    add_administrator(database_url, "otra")
    assert sign_in(site, "otra").get("/companies/export.csv").is_redirect, "others have their turn"
    lock.rollback()
    state_of(client, place, "The file is ready")
    state_of(client, other, "The file is ready")
    book = load_workbook(io.BytesIO(client.get(f"{place}/file").content))  # type: ignore[no-untyped-call]
    assert book.worksheets[0].max_row == 174
    assert client.get(f"{other}/file").text.count("\n") == 173
    assert place in client.get("/exports").text
    assert client.get("/companies/export.xlsx").status_code in (200, 302)


def test_an_export_that_fails_says_so_and_makes_room(
    stuck: tuple[httpx.Client, str, psycopg.Connection], database_url: str
) -> None:
    client, place, lock = stuck
    with psycopg.connect(database_url, autocommit=True) as other:
        for _ in range(200):
            killed = other.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where wait_event_type = 'Lock' and query like '%call_list%'"
            ).fetchall()
            if killed:
                break
            time.sleep(0.02)
    lock.rollback()
    state_of(client, place, "The file could not be created")
    assert client.get(f"{place}/file").status_code == 404
    assert "Failed, try again" in client.get("/exports").text
    assert client.get("/companies/export.xlsx").status_code in (200, 302)

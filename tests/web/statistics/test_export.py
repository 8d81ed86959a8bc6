"""Statistics and lists as files, opened and compared with the pages."""

import csv
import io
from datetime import timedelta

import psycopg
import pytest
from openpyxl.reader.excel import load_workbook

from billing.web.kit import words
from billing.web.kit.i18n import set_language
from tests.web.serving import SignIn


def test_the_workbook_has_every_table_and_each_adds_up(
    database_url: str, site: str, sign_in: SignIn
) -> None:
    set_language("en")
    answer = sign_in(site).get("/statistics/export.xlsx?grain=day")
    assert answer.status_code == 200, answer.text
    book = load_workbook(io.BytesIO(answer.content))  # type: ignore[no-untyped-call]
    names = ["Accounts", "Days", "Destinations", "Hours of the week", "About"]
    assert book.sheetnames == names
    with psycopg.connect(database_url) as connection:
        ((calls, talk_ms, micros),) = connection.execute(
            "select count(*), sum(talk_ms), sum(amount_micros) filter (where currency = 'EUR')"
            " from call_list where status = 'rated'"
        ).fetchall()
        by_class = {
            words.word(words.CLASSES, each) or "Without class": calls
            for each, calls in connection.execute(
                "select class, count(*) from call_list where status = 'rated' group by class"
            )
        }
    for name in names[:4]:
        sheet = book[name]
        assert sheet.freeze_panes == "A2"
        assert sheet.auto_filter.ref
        heads = [cell.value for cell in sheet[1]]
        rows = [
            dict(zip(heads, [cell.value for cell in row], strict=True)) for row in sheet[2:1000]
        ]
        rows = [row for row in rows if row["Calls"] is not None]
        total = rows.pop()
        assert total["Calls"] == calls == sum(row["Calls"] for row in rows)
        assert total["Amount in EUR"] == pytest.approx(int(micros) / 1_000_000)
        assert sum(row["Amount in EUR"] for row in rows) == pytest.approx(total["Amount in EUR"])
        assert isinstance(total["Talk time"], timedelta)
        assert total["Talk time"] == timedelta(seconds=int(talk_ms) // 1000)
        assert by_class == {
            head.partition(":")[0]: sum(row[head] for row in rows)
            for head in heads
            if str(head).endswith(": Calls")
        } or (name == "Destinations" and not any(":" in str(head) for head in heads))
    about = {row[0].value: row[1].value for row in book["About"].iter_rows()}
    assert about["Time zone"] == "Europe/Madrid"
    assert int(about["Log position"]) > 180


def test_each_table_is_a_csv_too(site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    for table in ("accounts", "periods", "destinations", "hours"):
        text = client.get(f"/statistics/{table}.csv").content.decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text)))
        assert rows.pop()["Calls"] == "172"
        assert sum(int(row["Calls"]) for row in rows) == 172
    assert client.get("/statistics/nothing.csv").status_code == 404
    assert client.get("/statistics/export.xlsx?by=x").status_code == 400


def test_companies_and_devices_are_exported_as_filtered(site: str, sign_in: SignIn) -> None:
    client = sign_in(site)
    text = client.get("/companies/export.csv?state=frozen").content.decode("utf-8-sig")
    assert [row["Company"] for row in csv.DictReader(io.StringIO(text))] == ["Gestoría Peñalver"]
    answer = client.get("/devices/export.xlsx?company=hoteles")
    book = load_workbook(io.BytesIO(answer.content))  # type: ignore[no-untyped-call]
    assert [cell.value for cell in book.worksheets[0]["A"]] == [
        "Device",
        "Centralita Hoteles",
        "Total",
    ]

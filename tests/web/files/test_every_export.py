"""Every list and statistic has an export: each is opened, in both formats, and has its filter."""

import csv
import io
import re
from html import unescape

import httpx
import msgspec
import psycopg
import pytest
from openpyxl.reader.excel import load_workbook

from billing.rating.rates import Rate, Tier
from tests.web.serving import SignIn, add_administrator

PAGES = (
    "/calls?class=local",
    "/statistics",
    "/companies",
    "/devices",
    "/devices/clinica-pbx",
    "/devices/clinica-pbx/extensions",
    "/devices/clinica-pbx/prefixes",
    "/route-prefixes",
    "/user-accounts",
    "/gateway-accounts",
    "/movements",
    "/accounts/company:clinica/statements",
    "/accounts/company:clinica/history",
    "/rate-groups",
    "/rate-groups/standard",
    "/rate-groups/standard/history?target=p:34",
    "/rate-groups/compare?one=standard&other=other",
    "/number-plan",
    "/suspended",
    "/corrections",
    "/corrections/again",
    "/operations",
    "/sign-ins",
    "/administrators",
    "/keeping",
    "/backups",
)
FILE = re.compile(r'href="(/[^"]*(?:\.xlsx|\.csv|/xlsx|/csv)(?:\?[^"]*)?)"')
PREPARED = """
insert into submissions (at, device_id, account, address, status, bytes, accepted, duplicate,
  conflict, suspended, detail)
values (now(), 'clinica-pbx', '=a', '192.0.2.1', 200, 10, 1, 0, 0, 0, '@sum');
insert into rate_groups (group_id, name, currency, deleted, changed_at)
values ('standard', '+Standard', 'EUR', false, now()),
  ('other', 'Other', 'EUR', false, now());
insert into corrections (correction_id, kind, asked, state, applying, actor, address, preview)
values ('again', 'rerate', '{}', 'ready', false, 'administrator:marta', '',
  '[{"company_id": "clinica", "currency": "EUR", "calls": 3, "old_micros": 5, "new_micros": 7}]');
insert into statements (account, month, position, currency, opening_micros, credited_micros,
  charged_micros, closing_micros, calls, closed_at)
values ('company:clinica', '2026-10', 1, 'EUR', 1, 2, 3, 0, 1, now());
insert into backups values ('b.cbk', 'full', 'ab', 9, 8, '', now(), 'system', false);
insert into plan_entries values ('number-plan:imported', '3491', '', false, '1970-01-01Z',
  '@Madrid', 'landline', 0, 0, now(), 'system');
"""
PRICE = """
insert into prices values ('standard', 'p:34', '1970-01-01Z', 1, 'set', true, '-España', 0.018, 60,
  %s, now(), 'system', '')"""


def prepare(database_url: str) -> None:
    """Put rows into every list."""
    rate = Rate(prefix="34", name="-España", tiers=(Tier(price="0.018"),))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(PREPARED.encode())
        connection.execute(PRICE.encode(), (msgspec.json.encode(rate).decode(),))


@pytest.fixture
def prepared(database_url: str, site: str) -> str:
    """A site with rows in every list."""
    prepare(database_url)
    return site


def opened(answer: httpx.Response, address: str) -> list[list[object]]:
    """Return the rows of a file, after checks that every workbook must pass."""
    assert answer.status_code == 200, (address, answer.text[:500])
    if "csv" in address:
        return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))  # type: ignore[arg-type]
    book = load_workbook(io.BytesIO(answer.content))  # type: ignore[no-untyped-call]
    assert book.sheetnames[-1] == "About"
    said = {row[0].value: row[1].value for row in book["About"].iter_rows()}
    assert said["Time zone"] == "Europe/Madrid", address
    assert "Created on" in said
    sheet = book.worksheets[0]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref
    for each in book.worksheets:
        assert all(cell.data_type != "f" for row in each.iter_rows() for cell in row), address
    return [list(row) for row in sheet.iter_rows(values_only=True)]


def test_every_list_is_exported_in_both_kinds(prepared: str, sign_in: SignIn) -> None:
    client = sign_in(prepared)
    for path in PAGES:
        page = client.get(path)
        assert page.status_code == 200, path
        files = sorted({unescape(each) for each in FILE.findall(page.text)})
        assert {"xlsx", "csv"} <= {
            re.sub(r".*[./](\w+)(\?.*)?$", r"\1", each) for each in files
        } or (path.endswith("/history") and files), path
        for address in files:
            rows = opened(client.get(address), address)
            assert len(rows) > 1 or "gateway" in path or "prefixes" in path or "hours" in address


def test_what_looks_like_a_formula_is_text_in_every_file(
    database_url: str, prepared: str, sign_in: SignIn
) -> None:
    names = ("=1+1", "+1", "-1", "@x", "\t=1")
    with psycopg.connect(database_url, autocommit=True) as connection:
        for number, name in enumerate(names):
            connection.execute(
                "insert into accounts select 'company:f' || %s, kind, 'f' || %s, %s, currency,"
                " own_wallet, state, time_zone, rate_group, payment, opened_at from accounts"
                " where account = 'company:clinica'",
                (number, number, name),
            )
        connection.execute("update call_list set caller = '=cmd', area = '@a', rate_name = '-r'")
        connection.execute("update devices set name = '+dev'")
    client = sign_in(prepared)
    for path in ("/companies/export", "/calls/export", "/devices/export", "/statistics/accounts"):
        text = client.get(f"{path}.csv").content.decode("utf-8-sig")
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        found = [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]
        assert [each for each in found if not re.fullmatch(r"[-+]?[\d.]+", each)] == [], path
    companies = [row[0] for row in opened(client.get("/companies/export.xlsx"), "/companies")]
    assert set(names) <= {str(each) for each in companies}, "as they are, and no formula"


def test_each_role_takes_only_what_it_may(
    database_url: str, prepared: str, sign_in: SignIn
) -> None:
    add_administrator(database_url, "olga", "operator")
    client = sign_in(prepared, "olga")
    for path in ("/administrators", "/operations", "/sign-ins"):
        for kind in ("xlsx", "csv"):
            assert client.get(f"{path}/export.{kind}").status_code == 403

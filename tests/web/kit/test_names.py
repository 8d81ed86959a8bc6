"""People and objects are shown by name: a walk over pages and exports finds none of their ids."""

import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from openpyxl.reader.excel import load_workbook

from billing.aggregates import account, company, rate_group
from billing.aggregates.administrator import AdministratorAdded, AdministratorLimited
from billing.aggregates.device import CascadeSet, DeviceRegistered, TenantNamed, TrunkAssigned
from billing.aggregates.event import Envelope, Event
from billing.aggregates.extension import ExtensionEntry, ExtensionsAssigned
from billing.aggregates.sub_account import GatewayAccountOpened, UserAccountOpened
from billing.commands.rate_groups import default_rates
from billing.log.store import Pending, Store
from billing.rating.rates import Rate, Tier
from tests.conftest import fresh_database
from tests.web.serving import SignIn, add_administrator, catch_up, served

LUCIA, ACME, ANA, TRUNK, PBX, GROUP, IMPORT = (f"e8b31c0de{number:03}" for number in range(7))
IDS = re.compile(r"e8b31c0de\d{3}|command line")
COMPANY, USER, GATEWAY = f"company:{ACME}", f"user:{ANA}", f"gateway:{TRUNK}"
DEVICE, RATES = f"device:{PBX}", f"rate-group:{GROUP}"
EUR = "EUR"
ZONE = "Europe/Madrid"
TEN = 10_000_000
PRICE = Rate(name="Spain", prefix="34", tiers=(Tier(from_s=0, price="1", unit_s=60),))
EVENTS: list[tuple[str, Event]] = [
    (
        f"administrator:{LUCIA}",
        AdministratorAdded(
            sign_in_name="lucia", name="Lucía Prieto", role="administrator", language="es"
        ),
    ),
    (COMPANY, company.CompanyOpened(name="Acme", currency=EUR, time_zone=ZONE, payment="prepaid")),
    (f"administrator:{LUCIA}", AdministratorLimited(companies=(ACME,))),
    (USER, UserAccountOpened(company_id=ACME, name="Ana", currency=EUR)),
    (GATEWAY, GatewayAccountOpened(company_id=ACME, name="North", currency=EUR)),
    (RATES, rate_group.RateGroupCreated(name="Standard", currency=EUR)),
    (RATES, rate_group.RatesChanged(rates=default_rates())),
    (RATES, rate_group.DeckImported(import_id=IMPORT, file_name="deck.csv", rates=(PRICE,))),
    (COMPANY, company.RateGroupBound(group_id=GROUP)),
    (COMPANY, company.PinGiven(digest="d", account=USER)),
    (COMPANY, account.AccountRecharged(amount_micros=TEN, currency=EUR, reason="cash")),
    (
        COMPANY,
        account.RechargeReversed(
            amount_micros=TEN, currency=EUR, recharge_version=4, reason="wrong"
        ),
    ),
    (COMPANY, account.AccountAdjusted(amount_micros=TEN, currency=EUR, reason="gift")),
    (
        DEVICE,
        DeviceRegistered(company_id=ACME, name="PBX", time_zone=ZONE, country="ES", area_code="91"),
    ),
    (DEVICE, ExtensionsAssigned(entries=(ExtensionEntry(extension="101", account=USER),))),
    (DEVICE, TrunkAssigned(trunk="t1", account=GATEWAY)),
    (DEVICE, TenantNamed(tenant="acme.example", company_id=ACME)),
    (DEVICE, CascadeSet(upper=DEVICE.partition(":")[2])),
]
EVIDENCE = "/evidence."  # files of events as they are in the log, to be verified


@pytest.fixture(scope="module")
def named_site(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """An installation where an administrator with an opaque id changed everything."""
    folder: Path = tmp_path_factory.mktemp("named")
    with fresh_database(server_url, template) as url:
        store = Store(url)
        said = Envelope(
            recorded_at=datetime.now(UTC), actor=f"administrator:{LUCIA}", address="command line"
        )
        versions = dict[str, int]()
        for stream, event in EVENTS:
            versions[stream] = versions.get(stream, 0) + 1
            store.append([Pending(stream, versions[stream], event, said)])
        catch_up(url, store)
        store.close()
        add_administrator(url)
        with served(url, folder) as address:
            yield address


def paths(client: httpx.Client) -> Iterator[tuple[str, str]]:
    """Yield the text of each page and file that can be reached by links, with its URL."""
    waiting, seen = ["/"], {"/"}
    while waiting:
        url = waiting.pop()
        answer = client.get(url, follow_redirects=True)
        assert answer.status_code == 200, url
        kind = answer.headers["content-type"]
        if "html" not in kind:
            yield url, content_of(answer)
            continue
        yield url, unescape(re.sub(r"<[^>]*>", " ", re.sub(r"(?s)<svg.*?</svg>", "", answer.text)))
        for link in re.findall(r'href="([^"]+)"', answer.text):
            path = urlsplit(unescape(link)).path
            shown = unescape(link) if "target=" in link or "mode=" in link else path
            if path.startswith("/") and not path.startswith("/assets/") and shown not in seen:
                seen.add(shown)
                waiting.append(shown)


def content_of(answer: httpx.Response) -> str:
    """Return the text of a file: of each cell of a workbook."""
    if answer.content[:2] != b"PK":
        return answer.text
    book = load_workbook(io.BytesIO(answer.content))  # type: ignore[no-untyped-call]
    cells = (cell.value for sheet in book for row in sheet.iter_rows() for cell in row)
    return "\n".join(str(value) for value in cells if value is not None)


def test_no_page_and_no_export_shows_an_id(named_site: str, sign_in: SignIn) -> None:
    wrong, walked = [], 0
    for url, text in paths(sign_in(named_site)):
        walked += 1
        if EVIDENCE in url:
            continue
        found = {text[max(0, m.start() - 40) : m.end() + 20].strip() for m in IDS.finditer(text)}
        if found:
            wrong.append((url, found))
    assert not wrong, "\n".join(map(str, wrong))
    assert walked > 80


def test_operations_are_filtered_by_the_name_of_who_did_them(
    named_site: str, sign_in: SignIn
) -> None:
    client = sign_in(named_site)
    text = client.get("/operations").text
    assert re.search(rf'<option value="administrator:{LUCIA}"\s*>Lucía Prieto</option>', text)
    file = client.get(f"/operations/export.xlsx?actor=administrator:{LUCIA}")
    assert "Lucía Prieto" in content_of(file)

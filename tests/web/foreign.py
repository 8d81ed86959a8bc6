"""A company outside a limit, with unmistakable names, numbers and amounts."""

import io
import re
import zipfile
from datetime import UTC, datetime, timedelta

import httpx
import psycopg

from billing.aggregates import call
from billing.aggregates.account import AccountFrozen, AccountRecharged, LimitsSet
from billing.aggregates.company import CompanyOpened, RateGroupBound
from billing.aggregates.device import DeviceRegistered, TrunkAssigned
from billing.aggregates.event import Envelope, Event
from billing.aggregates.extension import ExtensionEntry, ExtensionsAssigned
from billing.aggregates.rate_group import RateGroupCreated
from billing.aggregates.sub_account import GatewayAccountOpened, UserAccountOpened
from billing.log.store import Pending, Store
from billing.rating.cdr import Cdr
from billing.rating.context import Rating
from tests.web.serving import ZONE, catch_up

OWN = ("clinica", "hoteles")  # the companies of the limit
MARK = "ZZQX"
NUMBER, EXTENSION = "+34987654321", "98765"
MICROS = 777_000_000_000_000  # of a recharge and of each call: any sum that includes one reveals it
TOLD = re.compile(rf"{MARK}|987654321|{EXTENSION}|77[0-9][.,\s]?000[.,\s]?[0-9]{{3}}")
COMPANY, USER, GATEWAY = "company:ajena", "user:ajena-1", "gateway:ajena-gw"
DEVICE, GROUP, CORRECTION = "ajena-pbx", "ajena-group", "ajena-correction"


def install_foreign(database_url: str) -> list[str]:
    """Set up the company with everything; return calls: rated, suspended, without company."""
    store = Store(database_url)
    said = Envelope(recorded_at=datetime.now(UTC), actor="administrator:marta", address="tests")
    calls = [_call(number) for number in range(3)]
    streams: dict[str, list[Event]] = {
        f"rate-group:{GROUP}": [RateGroupCreated(name=f"{MARK} Tarifa", currency="EUR")],
        COMPANY: [
            CompanyOpened(
                name=f"{MARK} Foránea", currency="EUR", time_zone=ZONE, payment="prepaid"
            ),
            AccountRecharged(
                amount_micros=MICROS, currency="EUR", reason=f"{MARK} motivo", reference=MARK
            ),
            RateGroupBound(group_id=GROUP),
            LimitsSet(
                credit_limit_micros=None,
                low_balance_micros=MICROS * 10,
                freeze_at_limit=False,
                warn_email=f"{MARK}@example.com",
            ),
            AccountFrozen(reason=f"{MARK} congelada"),
        ],
        USER: [
            UserAccountOpened(
                company_id="ajena", name=f"{MARK} Usuaria", currency="EUR", own_wallet=True
            )
        ],
        GATEWAY: [
            GatewayAccountOpened(company_id="ajena", name=f"{MARK} Pasarela", currency="EUR")
        ],
        f"device:{DEVICE}": [
            DeviceRegistered(
                company_id="ajena",
                name=f"{MARK} Centralita",
                model=f"{MARK} 20",
                time_zone=ZONE,
                country="ES",
                area_code="98",
            ),
            ExtensionsAssigned(
                entries=(ExtensionEntry(extension=EXTENSION, account=USER, name=f"{MARK} mesa"),)
            ),
            TrunkAssigned(trunk=f"{MARK}-troncal", account=GATEWAY),
        ],
        **{call.stream_of(DEVICE, event.filed_at, event.cdr.key): [event] for event in calls},
    }
    store.append(
        [
            Pending(stream, version, event, said)
            for stream, events in streams.items()
            for version, event in enumerate(events, 1)
        ]
    )
    catch_up(database_url, store)
    store.close()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "insert into corrections (correction_id, kind, asked, state, applying, actor, address)"
            " values (%s, 'recycle', '{}', 'done', true, 'administrator:marta', %s)",
            (CORRECTION, MARK),
        )
        connection.execute(
            "insert into submissions (at, device_id, account, address, status, bytes, accepted,"
            " duplicate, conflict, suspended, detail)"
            " values (now(), %s, %s, '192.0.2.9', 200, 1, 1, 0, 0, 0, ''),"
            " (now(), '', %s, '192.0.2.9', 401, 1, 0, 0, 0, 0, '')",
            (DEVICE, MARK, MARK),
        )
    return [stream.removeprefix("call:") for stream in streams if stream.startswith("call:")]


def _call(number: int) -> call.CallReceived:
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=3 + number)
    cdr = Cdr(
        key=f"ajena{number}",
        started_at=at,
        answered_at=at,
        ended_at=at + timedelta(seconds=60),
        billed_ms=60_000,
        caller=EXTENSION,
        called=NUMBER,
        result="answered",
    )
    rated = number == 0
    rating = Rating(
        status="rated" if rated else "suspended",
        reason="" if rated else "no_rate" if number == 1 else "no_account",
        company_id="" if number == 2 else "ajena",
        user_account=USER if rated else "",
        gateway_account=GATEWAY if number == 1 else "",
        payer=USER if rated else "",
        extension=EXTENSION,
        direction="outbound",
        number=NUMBER,
        call_class="international",
        area=f"{MARK} Destino",
        billed_seconds=60 if rated else 0,
        amount_micros=MICROS if rated else 0,
        currency="EUR" if rated else "",
        rate_name=f"{MARK} precio" if rated else "",
    )
    return call.receive(
        device_id=DEVICE,
        filed_at=at,
        source="native",
        cdr=cdr,
        rating=rating,
        digest=str(number),
        raw=f'{{"id":"{MARK}{number}"}}',
        raw_encoding="",
    )


def text_of(answer: httpx.Response) -> str:
    """Return the text of a response; of a spreadsheet the text of all its parts."""
    if not answer.content.startswith(b"PK"):
        return answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
        return "\n".join(book.read(name).decode() for name in book.namelist())


def foreign_events(database_url: str) -> int:
    """Return how many events concern the company."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "select count(*) from billing_events where originator_id like '%ajena%'"
        ).fetchone()
    assert row
    return int(row[0])


class Site:
    """An installation with a company outside the limit, and the ids of that company."""

    def __init__(self, database_url: str, address: str, own: str, calls: list[str]) -> None:
        self.database_url = database_url
        self.address = address
        self.own_call = own
        self.parts = {
            "account": (COMPANY, USER, GATEWAY),
            "device_id": (DEVICE,),
            "quoted_id": tuple(calls),
            "correction_id": (CORRECTION,),
            "group_id": (GROUP,),
            "own_id": ("marta",),
        }
        self.fields = {
            "account": (COMPANY, USER, GATEWAY),
            "call": tuple(calls),
            "company": ("ajena",),
            "device": (DEVICE,),
            "gateway": (GATEWAY,),
            "group": (GROUP,),
            "user": (USER,),
        }


def ask(client: httpx.Client, method: str, path: str, fields: dict[str, str]) -> httpx.Response:
    """Send a request with a query, or with a form."""
    given = {"params": fields} if method == "GET" else {"data": fields}
    return client.request(method, path, **given)  # type: ignore[arg-type]

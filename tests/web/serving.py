"""A served application and an installation with calls, for tests of pages."""

import asyncio
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import argon2
import httpx
import psycopg
from sanic import Sanic

from billing.aggregates import call
from billing.aggregates.account import AccountFrozen, AccountRecharged
from billing.aggregates.administrator import AdministratorAdded
from billing.aggregates.company import CompanyOpened
from billing.aggregates.device import DeviceRegistered
from billing.aggregates.event import Envelope, Event
from billing.aggregates.extension import ExtensionEntry, ExtensionsAssigned
from billing.aggregates.sub_account import UserAccountOpened
from billing.config import Config
from billing.credentials.tokens import hash_token
from billing.database import Database
from billing.doors.connection import Connection
from billing.log.store import CHANNEL, Pending, Store
from billing.projections import projections
from billing.projections.runner import Runner
from billing.rating.cdr import Cdr
from billing.rating.context import Rating, encode_steps
from billing.web.app import create_app

SignIn = Callable[..., httpx.Client]  # takes a URL, and a name unless it is marta
PASSWORD = "correct horse battery"
# The cheapest parameters: tests check that hashes are verified, not how long that takes.
HASH = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
ZONE = "Europe/Madrid"
COMPANIES = {
    "clinica": ("Clínica Santa Águeda", "EUR"),
    "hoteles": ("Hoteles Costa Esmeralda", "EUR"),
    "gestoria": ("Gestoría Peñalver", "EUR"),
    "miraflores": ("Editorial Miraflores S.A.C.", "PEN"),
}
NUMBERS = (
    ("+34914230628", "Madrid", "local", 1_800),
    ("+34944090063", "Bilbao", "national", 3_300),
    ("+12127454135", "EE. UU., Nueva York", "international", 31_000),
    ("+34915620371", "Madrid", "local", 1_800),
    ("102", "", "internal", 0),
    ("112", "Emergencias", "special", 0),
)
RESULTS = ("answered", "answered", "answered", "no_answer", "answered", "busy", "failed")


@contextmanager
def served(
    database_url: str,
    data_dir: Path,
    prepare: Callable[[Sanic[Any, Any]], object] = lambda _app: None,
    **settings: Any,
) -> Iterator[str]:
    """Serve the pages of a database from a thread; yield the URL.

    `prepare` is given the application before it starts.
    """
    config = Config(
        database_url=database_url, data_dir=data_dir, web_port=0, time_zone=ZONE, **settings
    )
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(config, Database(database_url))
    prepare(app)
    ready, stop, place = threading.Event(), asyncio.Event(), list[Any]()

    async def serve() -> None:
        server: Any = await app.create_server(
            sock=listener, return_asyncio_server=True, protocol=Connection
        )
        await server.startup()
        await server.before_start()
        await server.after_start()
        await server.start_serving()
        place.append(asyncio.get_running_loop())
        ready.set()
        await stop.wait()
        await server.before_stop()
        await server.close()
        for connection in server.connections:
            connection.close()
        await server.after_stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(20), "the application did not start"
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        if place:
            place[0].call_soon_threadsafe(stop.set)
        thread.join(20)
        assert not thread.is_alive(), "the application did not stop"


def add_administrator(
    database_url: str,
    name: str = "marta",
    role: str = "administrator",
    *,
    must_change: bool = False,
    companies: Sequence[str] = (),
) -> None:
    """Add an administrator who signs in with PASSWORD, perhaps limited to companies."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "insert into administrator_credentials values (%s, %s, %s, %s)",
            (name, name, HASH, must_change),
        )
        connection.execute(
            "insert into administrators values (%s, %s, %s, %s, 'es', true) on conflict do nothing",
            (name, name, name.title() + " Ruiz", role),
        )
        if companies:
            limit = "update administrators set companies = %s where administrator_id = %s"
            connection.execute(limit, (list(companies), name))


def add_to_log(database_url: str, name: str = "marta", role: str = "administrator") -> None:
    """Append the event of an administrator who is in the read model, so that commands know them.

    Not for sites whose read models follow the log.
    """
    store = Store(database_url)
    event = AdministratorAdded(
        sign_in_name=name, name=f"{name.title()} Ruiz", role=role, language="es"
    )
    envelope = Envelope(recorded_at=datetime.now(UTC), actor="system", address="tests")
    store.append([Pending(f"administrator:{name}", 1, event, envelope)])
    store.close()


def add_token(database_url: str, *scopes: str, name: str = "marta") -> str:
    """Add an API token of an administrator; return it."""
    token, token_id = secrets.token_urlsafe(), secrets.token_hex(6)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "insert into api_tokens"
            " (token_id, token_hash, administrator_id, name, scopes, created_at)"
            " values (%s, %s, %s, %s, %s, now())",
            (token_id, hash_token(token), name, f"Portal {token_id}", list(scopes)),
        )
    return token


def install(
    database_url: str, calls: int = 180, apart: timedelta = timedelta(minutes=7)
) -> list[str]:
    """Set up companies, devices and calls of the last days; return the calls, newest first."""
    store = Store(database_url)
    events: list[tuple[str, int, Event]] = [
        (
            "administrator:marta",
            1,
            AdministratorAdded(
                sign_in_name="marta", name="Marta Ruiz", role="administrator", language="es"
            ),
        )
    ]
    for company_id, (name, currency) in COMPANIES.items():
        events += _company(company_id, name, currency)
    envelope = Envelope(recorded_at=datetime.now(UTC), actor="system", address="tests")
    store.append([Pending(*event, envelope) for event in events])
    now = datetime.now(UTC).replace(microsecond=0)
    made = [_call(number, now - number * apart) for number in range(calls)]
    sent_calls = []
    for stream, event in made:
        sent = Envelope(
            recorded_at=now,
            actor=f"device:{event.device_id}",
            address="192.0.2.17",
            request_id=secrets.token_hex(4),
        )
        sent_calls.append(Pending(stream, 1, event, sent))
    store.append(sent_calls)
    catch_up(database_url, store)
    store.close()
    return [stream for stream, _ in made]


@contextmanager
def following(database_url: str) -> Iterator[None]:
    """Keep the read models up to date in a thread, as `billing serve` does."""
    stopping = threading.Event()
    store = Store(database_url)
    runner = Runner(database_url, store, projections(ZONE))
    thread = threading.Thread(target=runner.run, args=(database_url, stopping))
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(f"notify {CHANNEL}")  # so it need not wait for its next poll
        thread.join(20)
        runner.close()
        store.close()


def catch_up(database_url: str, store: Store) -> None:
    """Bring every read model up to date."""
    runner = Runner(database_url, store, projections(ZONE))
    runner.catch_up()
    runner.close()


def _company(company_id: str, name: str, currency: str) -> list[tuple[str, int, Event]]:
    company, device = f"company:{company_id}", f"device:{company_id}-pbx"
    events: list[tuple[str, int, Event]] = [
        (
            company,
            1,
            CompanyOpened(name=name, currency=currency, time_zone=ZONE, payment="prepaid"),
        ),
        (company, 2, AccountRecharged(amount_micros=250_000_000, currency=currency, reason="-")),
        (
            f"user:{company_id}-front",
            1,
            UserAccountOpened(company_id=company_id, name="Recepción", currency=currency),
        ),
        (
            device,
            1,
            DeviceRegistered(
                company_id=company_id,
                name=f"Centralita {name.split(maxsplit=1)[0]}",
                time_zone=ZONE,
                country="ES",
                area_code="91",
                model="Asterisk 20",
            ),
        ),
        (
            device,
            2,
            ExtensionsAssigned(
                entries=(ExtensionEntry(extension="101", account=f"user:{company_id}-front"),)
            ),
        ),
    ]
    if company_id == "gestoria":
        events.append((company, 3, AccountFrozen(reason="unpaid")))
    return events


def _call(number: int, begin: datetime) -> tuple[str, call.CallReceived]:
    company_id = list(COMPANIES)[number % 4 if number % 3 else 0]
    currency = COMPANIES[company_id][1]
    dialled, area, call_class, price = NUMBERS[number % len(NUMBERS)]
    result = RESULTS[number % len(RESULTS)]
    started = begin - timedelta(seconds=number * 11 % 60)
    talk_seconds = 0 if result != "answered" else 17 + number * 37 % 900
    suspended = number % 25 == 3
    cdr = Cdr(
        key=f"k{number}|a/b",
        started_at=started,
        answered_at=started + timedelta(seconds=6) if talk_seconds else None,
        ended_at=started + timedelta(seconds=6 + talk_seconds),
        billed_ms=talk_seconds * 1000,
        caller=str(101 + number % 9),
        called=dialled.replace("+34", ""),
        result=result,  # type: ignore[arg-type]
        cause="NORMAL_CLEARING" if talk_seconds else "",
    )
    rating = Rating(
        status="suspended" if suspended else "rated",
        reason="no_rate" if suspended else "",
        company_id=company_id,
        user_account=f"user:{company_id}-front" if number % 9 == 0 else "",
        payer=f"company:{company_id}",
        extension=str(101 + number % 9),
        direction="inbound" if number % 11 == 5 else "outbound",
        number=dialled,
        call_class=call_class,  # type: ignore[arg-type]
        area=area,
        billed_seconds=0 if suspended else talk_seconds,
        amount_micros=0 if suspended else price * talk_seconds // 60 * 10,
        currency="" if suspended else currency,
        rate_name="" if suspended else area,
        flags=("over_24h",) if number == 1 else (),
        encoded_steps=encode_steps(
            (
                ("by_extension", "101", f"user:{company_id}-front"),
                ("direction", "outbound"),
                ("route_prefix", "9", "", dialled),
                ("e164", dialled.removeprefix("+34"), dialled),
                ("attribution", "3491", "Madrid", "landline"),
                ("class", call_class),
                ("rate", "local", "local", "2026-01-01"),
                ("connect_fee", "0.05"),
                ("line", "", "0.018", "60", "1", str(talk_seconds)),
                ("rounded", "half_up", "4", "0.1234"),
            )
        ),
    )
    device_id = f"{company_id}-pbx"
    event = call.receive(
        device_id=device_id,
        filed_at=started,
        source="native",
        cdr=cdr,
        rating=rating,
        digest=f"{number}",
        raw=f'{{"id":"k{number}","src":"{cdr.caller}","dst":"{cdr.called}","name":"<b>=1+1"}}',
        raw_encoding="",
    )
    return call.stream_of(device_id, started, cdr.key), event

"""A small installation as events, and its read models, for tests of projections."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from billing.aggregates.account import AccountRecharged
from billing.aggregates.call import (
    CallRated,
    CallRerated,
    CallSuspended,
    CallVoided,
    ConflictKept,
    stream_of,
)
from billing.aggregates.company import CompanyOpened
from billing.aggregates.device import DeviceRegistered
from billing.aggregates.event import Envelope, Event
from billing.aggregates.sub_account import UserAccountOpened
from billing.log.store import Pending, Store
from billing.projections import projections
from billing.projections.runner import Runner
from billing.rating.cdr import Cdr
from billing.rating.context import Rating

ZONE = "Europe/Madrid"
START = datetime(2026, 10, 24, 21, 30, tzinfo=UTC)  # followed by days and a clock change
SAID = Envelope(recorded_at=datetime(2026, 11, 23, tzinfo=UTC), actor="system")
INSTALLATION: list[tuple[str, Event]] = [
    (
        "company:acme",
        CompanyOpened(name="Acme", currency="EUR", time_zone=ZONE, payment="prepaid"),
    ),
    ("company:acme", AccountRecharged(amount_micros=50_000_000, currency="EUR", reason="cash")),
    ("user:ana", UserAccountOpened(company_id="acme", name="Ana", currency="EUR", own_wallet=True)),
    (
        "device:pbx",
        DeviceRegistered(
            company_id="acme", name="PBX", time_zone=ZONE, country="ES", area_code="91"
        ),
    ),
]
TABLES = (
    "accounts",
    "balances",
    "call_list",
    "daily_usage",
    "devices",
    "usage_account_months",
    "usage_area_months",
    "usage_areas",
    "usage_days",
    "usage_hour_months",
    "usage_hours",
    "usage_months",
    "usage_settled",
)


def received(
    number: int,
    micros: int,
    *,
    user: bool = False,
    suspended: bool = False,
    user_account: str = "user:ana",
) -> Event:
    """A received record: rated at `micros`, or suspended; with `user`, the user account pays."""
    at = START + timedelta(hours=number)
    cdr = Cdr(
        key=str(number),
        started_at=at,
        duration_ms=61_000,
        billed_ms=60_000,
        caller="101",
        called="912345678",
        result="answered",
    )
    rating = Rating(status="suspended", reason="no_rate", company_id="acme")
    if not suspended:
        rating = Rating(
            status="rated",
            company_id="acme",
            user_account=user_account if user else "",
            payer=user_account if user else "company:acme",
            direction="outbound",
            number="+34912345678",
            call_class="local",
            billed_seconds=60,
            amount_micros=micros,
            currency="EUR",
        )
    kind = CallSuspended if suspended else CallRated
    return kind(
        device_id="pbx",
        filed_at=at,
        source="native",
        cdr=cdr,
        rating=rating,
        digest=str(number),
        raw="{}",
    )


def voided(event: Event) -> Event:
    """The event that voids a record."""
    assert isinstance(event, CallRated | CallSuspended | CallRerated)
    return CallVoided(
        device_id=event.device_id,
        filed_at=event.filed_at,
        reason="merged",
        cdr=event.cdr,
        rating=event.rating,
    )


def rerated(event: Event, micros: int, *, user: bool = False) -> Event:
    """The event that re-rates a record, perhaps with another payer."""
    assert isinstance(event, CallRated)
    other = received(0, micros, user=user)
    assert isinstance(other, CallRated)
    return CallRerated(
        device_id=event.device_id,
        filed_at=event.filed_at,
        cdr=event.cdr,
        before=event.rating,
        rating=other.rating,
    )


def conflicting(event: Event) -> Event:
    """A conflicting record under the same key."""
    assert isinstance(event, CallRated | CallSuspended)
    return ConflictKept(
        filed_at=event.filed_at, source="native", cdr=event.cdr, digest="other", raw="{}"
    )


def stream(event: Event) -> str:
    """The stream id of a record's event."""
    assert isinstance(event, CallRated | CallSuspended | CallRerated | CallVoided | ConflictKept)
    return stream_of("pbx", event.filed_at, event.cdr.key)


def append(store: Store, events: Sequence[tuple[str, Event]]) -> None:
    """Append events to the ends of their streams at once."""
    versions = {name: len(store.load(name)) for name, _ in events}
    pending = []
    for name, event in events:
        versions[name] += 1
        pending.append(Pending(name, versions[name], event, SAID))
    store.append(pending)


def runner(url: str, store: Store) -> Runner:
    """A runner with all projections of a database."""
    return Runner(url, store, projections(ZONE))


def rows(url: str) -> dict[str, list[Any]]:
    """The rows of every read model, each sorted."""
    with psycopg.connect(url) as connection:
        return {
            table: sorted(connection.execute(f"select * from {table}".encode()).fetchall(), key=str)
            for table in TABLES
        }


def charges(url: str) -> dict[str, int]:
    """The sum of all charges in each read model."""
    queries = {
        "balances": "select coalesce(sum(charged_micros), 0) from balances",
        "daily_usage": "select coalesce(sum(amount_micros), 0) from daily_usage",
        "call_list": "select coalesce(sum(amount_micros), 0) from call_list",
        **{
            table: f"select coalesce(sum(amount_micros), 0) from {table} where account = '*'"
            for table in ("usage_days", "usage_hours", "usage_areas")
        },
    }
    with psycopg.connect(url) as connection:
        found = {}
        for name, query in queries.items():
            row = connection.execute(query.encode()).fetchone()
            assert row
            found[name] = int(row[0])
        return found

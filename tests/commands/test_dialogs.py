"""Halves of a SIP dialog become one call, in whatever order they arrive."""

from datetime import UTC, datetime, timedelta

import pytest

from billing.aggregates.call import CallRated, CallSuspended, CallVoided
from billing.aggregates.event import Envelope
from billing.commands import companies, devices
from billing.commands.calls import SubmitCalls, submit
from billing.commands.catalogue import Catalogue
from billing.log.store import Store
from billing.rating.cdr import CallRecord, Cdr

START = datetime(2026, 10, 31, 23, 59, 50, tzinfo=UTC)
ENVELOPE = Envelope(recorded_at=START + timedelta(minutes=5), actor="device:sip")


def half(method: str, from_tag: str, to_tag: str, at: datetime) -> CallRecord:
    cdr = Cdr(
        key=f"c1|{from_tag}|{to_tag}|{method}",
        call_id="c1",
        started_at=at,
        ended_at=at if method == "BYE" else None,
        caller="1001",
        called="+34914230628" if method == "INVITE" else "",
        flags=(f"half:{method}",),
        problem="unfinished",
    )
    return CallRecord(cdr=cdr, raw=method, source="kamailio")


INVITE = half("INVITE", "a", "b", START)
BYE = half("BYE", "b", "a", START + timedelta(seconds=20))  # the called party hangs up, in November


@pytest.fixture
def catalogue(store: Store) -> Catalogue:
    opened = companies.OpenCompany(
        company_id="acme", name="Acme", currency="EUR", time_zone="Europe/Madrid"
    )
    companies.open_company(store, opened, ENVELOPE)
    registered = devices.RegisterDevice(
        device_id="sip",
        company_id="acme",
        name="SIP",
        time_zone="UTC",
        country="ES",
        area_code="91",
    )
    devices.register_device(store, registered, ENVELOPE)
    return Catalogue()


def send(store: Store, catalogue: Catalogue, *records: CallRecord) -> list[tuple[str, str]]:
    command = SubmitCalls(device_id="sip", records=records, envelope=ENVELOPE)
    return [(receipt.status, receipt.reason) for receipt in submit(store, catalogue, [command])[0]]


@pytest.mark.parametrize("order", [(INVITE, BYE), (BYE, INVITE)], ids=["in order", "bye first"])
def test_the_second_half_completes_the_call(
    store: Store, catalogue: Catalogue, order: tuple[CallRecord, CallRecord]
) -> None:
    assert send(store, catalogue, order[0]) == [("suspended", "unfinished")]
    assert send(store, catalogue, order[1])[0][1] != "unfinished"
    invite = store.load("call:2026-10:sip:c1|a|b|INVITE")
    bye = store.load("call:2026-11:sip:c1|b|a|BYE")
    assert [type(recorded.event) for recorded in bye] == [CallSuspended, CallVoided]
    whole = invite[-1].event
    assert len(invite) == 2
    assert isinstance(whole, CallRated | CallSuspended)
    assert (whole.cdr.billed_ms, whole.cdr.result, whole.cdr.problem) == (20_000, "answered", "")
    assert whole.rating.reason == "no_rate_group"  # the company has none: rated as any call


def test_halves_in_one_batch_are_one_call(store: Store, catalogue: Catalogue) -> None:
    send(store, catalogue, INVITE, BYE)
    assert len(store.load("call:2026-10:sip:c1|a|b|INVITE")) == 2


def test_halves_sent_again_change_nothing(store: Store, catalogue: Catalogue) -> None:
    send(store, catalogue, INVITE, BYE)
    before = len(store.after(0, 1000))
    assert send(store, catalogue, INVITE, BYE) == [
        ("duplicate", "unfinished"),
        ("duplicate", "unfinished"),
    ]
    assert len(store.after(0, 1000)) == before


def test_a_single_half_stays_suspended(store: Store, catalogue: Catalogue) -> None:
    stranger = half("BYE", "x", "y", START)
    assert send(store, catalogue, INVITE, stranger) == [("suspended", "unfinished")] * 2

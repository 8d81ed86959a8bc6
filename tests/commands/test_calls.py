"""Submitting calls: accepted, duplicate, conflict or suspended; rated by the current prices."""

import random
import string
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.aggregates.call import CallRated, CallReceived, CallSuspended, ConflictKept
from billing.aggregates.number_plan import SEED
from billing.cli.setup import said_here
from billing.commands import (
    accounts,
    companies,
    extensions,
    number_plan,
    rate_groups,
    sub_accounts,
)
from billing.commands.calls import Receipt, SubmitCalls, submit
from billing.commands.catalogue import Catalogue
from billing.log.store import Recorded, Store
from billing.rating.cdr import CallRecord, Cdr
from billing.rating.context import Rating
from billing.rating.number_plan import PlanEntry
from billing.rating.rates import Rate, Tier
from billing.values import Refused
from tests.ingest.serving import install
from tests.projections.sample import rows, runner

START = datetime(2026, 11, 23, 10, tzinfo=UTC)
PLAIN = Cdr(
    key="k1",
    started_at=START,
    answered_at=START,
    ended_at=START + timedelta(seconds=60),
    duration_ms=60_000,
    billed_ms=60_000,
    caller="101",
    called="934567890",
    result="answered",
)


def record(key: str = "k1", **changes: Any) -> CallRecord:
    cdr = msgspec.structs.replace(PLAIN, key=key, **changes)
    return CallRecord(cdr=cdr, raw=f"raw of {key}", source="native")


@pytest.fixture
def installed(store: Store, database_url: str) -> Store:
    install(database_url)
    return store


def send(store: Store, *records: CallRecord, catalogue: Catalogue | None = None) -> list[Receipt]:
    command = SubmitCalls(device_id="pbx", records=records, envelope=said_here())
    return submit(store, catalogue or Catalogue(), [command])[0]


def statuses(receipts: Sequence[Receipt]) -> list[str]:
    return [receipt.status for receipt in receipts]


def first_event(store: Store, receipt: Receipt) -> CallReceived:
    event = store.load(f"call:{receipt.cdr_id}")[0].event
    assert isinstance(event, CallReceived)
    return event


def log(store: Store) -> list[Recorded]:
    return store.after(0, 100_000)


def test_a_new_record_is_accepted_and_its_charge_is_in_the_log(installed: Store) -> None:
    (receipt,) = send(installed, record())
    assert receipt == Receipt(status="accepted", key="k1", cdr_id="2026-11:pbx:k1")
    event = first_event(installed, receipt)
    assert isinstance(event, CallRated)
    assert (event.rating.amount_micros, event.rating.payer) == (18_000, "company:acme")
    assert event.raw == "raw of k1"


def test_a_known_record_is_a_duplicate_and_stores_nothing(installed: Store) -> None:
    send(installed, record())
    before = log(installed)
    assert statuses(send(installed, record())) == ["duplicate"]
    assert log(installed) == before


def test_a_conflict_is_kept_once_and_reported_every_time(installed: Store) -> None:
    send(installed, record())
    other = record(billed_ms=9_000)
    assert statuses(send(installed, other)) == ["conflict"]
    kept = installed.load("call:2026-11:pbx:k1")
    assert [type(recorded.event) for recorded in kept] == [CallRated, ConflictKept]
    assert statuses(send(installed, other, record(), other)) == [
        "conflict",
        "duplicate",
        "conflict",
    ]
    assert installed.load("call:2026-11:pbx:k1") == kept


def test_one_key_in_one_batch_is_one_call(installed: Store) -> None:
    found = send(installed, record(), record(), record(billed_ms=1), record(billed_ms=1))
    assert statuses(found) == ["accepted", "duplicate", "conflict", "conflict"]
    assert len(installed.load("call:2026-11:pbx:k1")) == 2


def test_one_key_in_two_submissions_of_one_batch_is_one_call(installed: Store) -> None:
    command = SubmitCalls(device_id="pbx", records=(record(),), envelope=said_here())
    found = submit(installed, Catalogue(), [command, command])
    assert [statuses(receipts) for receipts in found] == [["accepted"], ["duplicate"]]


def test_the_same_key_of_another_month_or_device_is_another_call(
    installed: Store, database_url: str
) -> None:
    install(database_url, "second", "second")
    later = record(started_at=START + timedelta(days=30))
    assert statuses(send(installed, record(), later)) == ["accepted", "accepted"]
    command = SubmitCalls(device_id="second", records=(record(),), envelope=said_here())
    assert statuses(submit(installed, Catalogue(), [command])[0]) == ["accepted"]


def test_a_record_that_can_not_be_priced_is_stored_suspended_with_the_reason(
    installed: Store,
) -> None:
    unpriced, timeless = record("k2", called="0033123456789"), record("k3", started_at=None)
    (first, second) = send(installed, unpriced, timeless)
    assert [(r.status, r.reason) for r in (first, second)] == [
        ("suspended", "no_rate"),
        ("suspended", "bad_time"),
    ]
    assert isinstance(first_event(installed, first), CallSuspended)
    again = send(installed, unpriced)
    assert [(r.status, r.reason) for r in again] == [("duplicate", "no_rate")]


def test_an_unknown_device_is_refused_and_nothing_is_stored(installed: Store) -> None:
    before = log(installed)
    command = SubmitCalls(device_id="nobody", records=(record(),), envelope=said_here())
    with pytest.raises(Refused, match="There is no device nobody"):
        submit(installed, Catalogue(), [command])
    assert log(installed) == before


def test_an_empty_submission_has_no_receipts(installed: Store) -> None:
    assert send(installed) == []


def test_control_characters_are_removed_from_fields_and_kept_in_the_raw_record(
    installed: Store, database_url: str
) -> None:
    cdr = msgspec.structs.replace(PLAIN, caller="10\x001", caller_name="a\x1bb", tenant="\x00")
    dirty = CallRecord(cdr=cdr, raw="raw\x00", source="native")
    (receipt,) = send(installed, dirty)
    event = first_event(installed, receipt)
    assert (event.cdr.caller, event.cdr.caller_name, event.cdr.tenant) == ("101", "ab", "")
    assert event.raw == "raw\x00"
    assert statuses(send(installed, dirty)) == ["duplicate"]
    own = runner(database_url, installed)
    own.catch_up()
    own.close()
    assert len(rows(database_url)["call_list"]) == 1


@pytest.mark.parametrize("letters", [string.ascii_letters, string.digits])
def test_texts_longer_than_an_index_can_hold_are_stored_and_listed(
    installed: Store, database_url: str, letters: str
) -> None:
    chance = random.Random(1)  # noqa: S311 -- incompressible, not secret
    long = "".join(chance.choices(letters, k=20_000))
    (receipt,) = send(
        installed, record(long, call_id=long, caller=long, called=long, tenant=long, pin=long)
    )
    assert receipt.key == long
    assert len(receipt.cdr_id) < 100
    assert statuses(send(installed, record(long, call_id=long))) == ["conflict"]
    own = runner(database_url, installed)
    own.catch_up()
    own.close()
    assert len(rows(database_url)["call_list"]) == 1


# What earlier versions wrote of PLAIN with a name: the digest, and the name as it was stored.
# Version 0.1 kept texts whole; version 0.2.0 cut them first and hashed what was left.
OLD_DIGESTS = {
    "0.1, long": ("af2b51a610cef404617066f2", "n" * 3_000, "n" * 3_000),
    "0.1, with control characters": (
        "af2b51a610cef404617066f2",
        "n" * 3_000 + "\n\x01",
        "n" * 3_000,
    ),
    "0.1, with tabs": ("f9e295b5c6020d43899e9587", "a\tb" * 1_200, "a\tb" * 1_200),
    "0.2.0, long": ("3ba9e591c049a58579eaac6b", "n" * 3_000, "n" * 400),
    "0.2.0, with tabs": ("81ff13b02c071f39a8d66993", "a\tb" * 1_200, ("a\tb" * 134)[:400]),
    "any, short": ("0ee8482e8ebf4a98cfbf14e4", "\x01x", "x"),
}
STORE_OLD = """
insert into billing_events (originator_id, originator_version, topic, state)
values ('call:2026-11:pbx:k1', 1, 'CallSuspended.1', %s)"""


@pytest.mark.parametrize("version", OLD_DIGESTS)
def test_a_record_that_an_earlier_version_stored_is_a_duplicate(
    installed: Store, database_url: str, version: str
) -> None:
    digest, sent, stored = OLD_DIGESTS[version]
    event = CallSuspended(
        device_id="pbx",
        filed_at=START,
        source="native",
        cdr=record(caller_name=stored).cdr,
        rating=Rating(status="suspended", reason="no_rate"),
        digest=digest,
        raw="",
    )
    state = msgspec.json.encode({"event": event, "envelope": said_here()})
    with psycopg.connect(database_url) as connection:
        connection.execute(STORE_OLD, (state,))
    assert statuses(send(installed, record(caller_name=sent))) == ["duplicate"]
    other = record(caller_name="m" + sent)
    assert statuses(send(installed, other)) == ["conflict"]
    assert statuses(send(installed, other)) == ["conflict"]
    assert statuses(send(installed, record(caller_name=sent))) == ["duplicate"]
    assert len(installed.load("call:2026-11:pbx:k1")) == 2


def test_long_texts_that_differ_only_where_they_are_cut_are_a_conflict(installed: Store) -> None:
    assert statuses(send(installed, record(caller_name="n" * 5_000))) == ["accepted"]
    assert statuses(send(installed, record(caller_name="n" * 5_000))) == ["duplicate"]
    assert statuses(send(installed, record(caller_name="n" * 4_999 + "m"))) == ["conflict"]


def test_a_catalogue_has_new_prices_before_the_next_batch(installed: Store) -> None:
    catalogue = Catalogue()
    abroad = record("k2", called="0033123456789")
    assert statuses(send(installed, abroad, catalogue=catalogue)) == ["suspended"]
    france = Rate(name="Francia", prefix="33", tiers=(Tier(price="0.062"),))
    rate_groups.change_rates(
        installed, rate_groups.ChangeRates(group_id="g", rates=(france,)), said_here()
    )
    other = msgspec.structs.replace(abroad, cdr=msgspec.structs.replace(abroad.cdr, key="k3"))
    (receipt,) = send(installed, other, catalogue=catalogue)
    assert first_event(installed, receipt).rating.amount_micros == 62_000


def test_a_catalogue_has_new_accounts_extensions_holds_plans_and_devices(
    installed: Store, database_url: str
) -> None:
    catalogue, envelope = Catalogue(), said_here()
    send(installed, record("k0"), catalogue=catalogue)
    ana = sub_accounts.OpenSubAccount(
        account="user:ana", company_id="acme", name="Ana", own_wallet=True
    )
    sub_accounts.open_sub_account(installed, ana, envelope)
    assigned = (extensions.Assignment(extension="101", account="user:ana"),)
    extensions.assign_extensions(
        installed, extensions.AssignExtensions(device_id="pbx", assignments=assigned), envelope
    )
    accounts.freeze(installed, accounts.FreezeAccount(account="user:ana", reason="x"), envelope)
    entry = PlanEntry(prefix="3493", area="Barcelona", type="landline", country="ES")
    number_plan.replace_number_plan(
        installed, number_plan.ReplaceNumberPlan(layer=SEED, entries=(entry,)), envelope
    )
    (receipt,) = send(installed, record("k1"), catalogue=catalogue)
    rating = first_event(installed, receipt).rating
    assert (rating.payer, rating.user_account, rating.area) == ("user:ana", "user:ana", "Barcelona")
    assert any("frozen" in flag for flag in rating.flags)
    install(database_url, "second", "second")
    command = SubmitCalls(device_id="second", records=(record(),), envelope=envelope)
    assert statuses(submit(installed, catalogue, [command])[0]) == ["accepted"]


def test_a_rate_group_bound_later_prices_the_calls_from_then_on(installed: Store) -> None:
    envelope = said_here()
    rate_groups.create_rate_group(
        installed,
        rate_groups.CreateRateGroup(group_id="h", name="Winter", currency="EUR"),
        envelope,
    )
    dear = Rate(name="España", prefix="34", tiers=(Tier(price="0.1"),))
    rate_groups.change_rates(
        installed, rate_groups.ChangeRates(group_id="h", rates=(dear,)), envelope
    )
    companies.bind_rate_group(
        installed,
        companies.BindRateGroup(
            company_id="acme", group_id="h", valid_from=START + timedelta(hours=1)
        ),
        envelope,
    )
    late = record("k2", started_at=START + timedelta(hours=1), answered_at=None)
    receipts = send(installed, record(), late)
    amounts = [first_event(installed, each).rating.amount_micros for each in receipts]
    assert amounts == [18_000, 100_000]


def test_concurrent_writers_store_each_record_and_each_conflict_once(
    installed: Store, database_url: str
) -> None:
    gate, found = threading.Barrier(4), list[str]()

    def write(number: int) -> None:
        own = Store(database_url)
        gate.wait()
        mine = [record(f"k{n}", billed_ms=1_000 * (1 + number % 2)) for n in range(50)]
        for _ in range(2):
            found.extend(statuses(send(own, *mine)))
        own.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = [recorded.event for recorded in log(installed) if recorded.stream[:5] == "call:"]
    kinds = [type(event) for event in stored]
    assert (kinds.count(CallRated), kinds.count(ConflictKept)) == (50, 50)
    assert found.count("accepted") == 50
    assert found.count("conflict") == 200  # two writers send other contents, twice


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    keys=st.lists(st.tuples(st.integers(0, 6), st.integers(1, 2)), max_size=14),
    cut=st.integers(0, 14),
)
def test_the_log_does_not_depend_on_how_records_are_batched(
    installed: Store, keys: list[tuple[int, int]], cut: int
) -> None:
    # Each example uses its own month.
    month = START.replace(year=1990 + len({r.stream[:12] for r in log(installed)}))
    records = [record(f"k{key}", billed_ms=ms, started_at=month) for key, ms in keys]
    parts = [part for part in (records[:cut], records[cut:]) if part]
    found = [status for part in parts for status in statuses(send(installed, *part))]
    again = statuses(send(installed, *records))
    first: dict[int, int] = {}
    for (key, ms), once, twice in zip(keys, found, again, strict=True):
        known = key in first
        first.setdefault(key, ms)
        same = first[key] == ms
        assert twice == ("duplicate" if same else "conflict")
        assert once == (twice if known else "accepted")


def test_a_pin_finds_its_account_and_is_in_no_event(installed: Store) -> None:
    envelope = said_here()
    ana = sub_accounts.OpenSubAccount(account="user:ana", company_id="acme", name="Ana")
    sub_accounts.open_sub_account(installed, ana, envelope)
    given = sub_accounts.GivePin(account="user:ana", pin="471199")
    sub_accounts.give_pin(installed, given, envelope)
    with pytest.raises(Refused, match="This PIN is in use"):
        sub_accounts.give_pin(installed, given, envelope)
    with pytest.raises(Refused, match="A PIN is 3 to 16 digits"):
        sub_accounts.give_pin(
            installed, sub_accounts.GivePin(account="user:ana", pin="4x"), envelope
        )
    cdr = Cdr(key="p", started_at=envelope.recorded_at, caller="101", called="600", pin="471199")
    record = CallRecord(cdr=cdr, raw="", source="native")
    command = SubmitCalls(device_id="pbx", records=[record], envelope=envelope)
    submit(installed, Catalogue(), [command])
    *_, event = (each for each in installed.after(0, 1000) if each.stream.startswith("call:"))
    assert event.event.rating.user_account == "user:ana"  # type: ignore[attr-defined]
    sub_accounts.withdraw_pins(installed, sub_accounts.WithdrawPins(account="user:ana"), envelope)
    assert "471199" not in str(installed.after(0, 1000))

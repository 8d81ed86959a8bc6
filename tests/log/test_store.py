"""The log on a real database: appending, duplicates, order, seals."""

import threading
from datetime import UTC, datetime

import msgspec
import psycopg
import pytest

from billing.aggregates.account import AccountFrozen, AccountUnfrozen
from billing.aggregates.event import Envelope
from billing.keeping.verifying import verify
from billing.log import queries
from billing.log.store import Conflict, Pending, Store

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SAID = Envelope(recorded_at=NOW, actor="system", address="127.0.0.1", request_id="r1")


EDIT = """
update billing_events set state = replace(encode(state, 'escape'), 'unpaid', 'unpaix')::bytea
where originator_id = 'company:b'"""
SMUGGLE = """
insert into billing_events select 'company:z', 1, topic, state from billing_events
where originator_id = 'company:a'"""


def freeze(stream: str, version: int, reason: str = "unpaid") -> Pending:
    return Pending(stream, version, AccountFrozen(reason=reason), SAID)


def test_appended_events_are_loaded_with_their_envelope(store: Store) -> None:
    thaw = Pending("company:a", 2, AccountUnfrozen(reason="paid"), SAID)
    last = store.append([freeze("company:a", 1), thaw])
    first, second = store.load("company:a")
    assert (first.stream, first.version, first.topic) == ("company:a", 1, "AccountFrozen.1")
    assert (first.event, first.envelope) == (AccountFrozen(reason="unpaid"), SAID)
    assert second.position == last > first.position


def test_a_used_version_is_a_conflict_and_nothing_is_stored(store: Store) -> None:
    store.append([freeze("company:a", 1)])
    with pytest.raises(Conflict):
        store.append([freeze("company:b", 1), freeze("company:a", 1)])
    assert store.load("company:b") == []


def test_append_new_skips_existing_streams_and_returns_that(store: Store) -> None:
    store.append([freeze("call:2026-11:d:1", 1)])
    streams = ("call:2026-11:d:1", "call:2026-11:d:2", "call:2026-11:d:2")
    encoded = store.encode([freeze(stream, 1) for stream in streams])
    known, fresh, repeated = store.append_new(encoded)
    assert (known, repeated) == (0, 0)
    assert fresh == store.load("call:2026-11:d:2")[0].position


def test_a_stream_is_read_in_chunks_without_excluded_kinds(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons = ["a" * 40, "b" * 5_000, "c"]
    store.append([freeze("company:a", n, reason) for n, reason in enumerate(reasons, 1)])
    store.append([Pending("company:a", 4, AccountUnfrozen(reason="paid"), SAID)])
    assert [each.version for each in store.follow("company:a")] == [1, 2, 3, 4]
    assert [each.version for each in store.follow("company:a", [AccountUnfrozen])] == [1, 2, 3]
    assert store.version("company:a") == 4
    assert store.version("company:b") == 0
    assert store.begins("company:a", AccountFrozen, "c")
    assert not store.begins("company:a", AccountFrozen, "paid")
    small = str(queries.MOST_BYTES)
    for name in ("FOLLOW", "AFTER"):
        monkeypatch.setattr(queries, name, getattr(queries, name).replace(small, "400"))
    assert [each.version for each in store.follow("company:a")] == [1, 2, 3, 4]
    found, position = [], 0
    while batch := store.after(position, 10):
        position = batch[-1].position
        found.append([each.version for each in batch])
    assert found == [[1, 2], [3, 4]]  # as many as fit, and one that exceeds the limit


def places(url: str) -> dict[str, str]:
    """Which partition each stream of calls is in."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select originator_id, tableoid::regclass::text from billing_events"
        ).fetchall()
    return dict(found)


def test_a_plausible_month_has_its_partition_and_all_others_share_one(
    store: Store, database_url: str
) -> None:
    months = [f"{year}-{month:02}" for year in range(1990, 2100) for month in range(1, 13)]
    store.append_new(store.encode([freeze(f"call:{month}:d:1", 1) for month in months]))
    found = places(database_url)
    own = {stream[5:12] for stream, place in found.items() if place != "billing_events_other"}
    assert own == {f"2026-{month:02}" for month in range(5, 12)}  # six months kept, and this one
    assert len(found) == len(months)


def test_history_that_is_loaded_on_purpose_has_partitions(store: Store, database_url: str) -> None:
    events = [freeze(f"call:{month}:d:1", 1) for month in ("2024-01", "2025-03")]
    store.append_new(store.encode(events, history_from="2025-01"))
    assert places(database_url) == {
        "call:2024-01:d:1": "billing_events_other",
        "call:2025-03:d:1": "billing_events_2025_03",
    }


def test_calls_that_came_too_early_move_into_the_partition_of_their_month(
    store: Store, database_url: str
) -> None:
    early, late = freeze("call:2027-03:d:1", 1), freeze("call:2027-03:d:2", 1)
    store.append_new(store.encode([early]))
    assert set(places(database_url).values()) == {"billing_events_other"}
    march = Envelope(recorded_at=datetime(2027, 3, 2, tzinfo=UTC), actor="system")
    store.append_new(store.encode([msgspec.structs.replace(late, envelope=march)]))
    assert set(places(database_url).values()) == {"billing_events_2027_03"}
    assert store.append_new(store.encode([early])) == [0]  # known wherever it is


def test_the_log_can_be_read_after_a_position_and_without_its_calls(store: Store) -> None:
    store.append([freeze("company:a", 1), freeze("call:2026-11:d:1", 1), freeze("user:u", 1)])
    streams = [recorded.stream for recorded in store.after(0, 10)]
    assert streams == ["company:a", "call:2026-11:d:1", "user:u"]
    assert [r.stream for r in store.after_without_calls(0, 10)] == ["company:a", "user:u"]
    assert [r.stream for r in store.after(store.after(0, 2)[-1].position, 10)] == ["user:u"]


def test_positions_are_in_commit_order_with_several_writers(
    store: Store, database_url: str
) -> None:
    seen: list[int] = []
    done = threading.Event()

    def follow() -> None:
        own, position = Store(database_url), 0
        while True:
            ended = done.is_set()
            for recorded in own.after(position, 1000):
                position = recorded.position
                seen.append(position)
            if ended:
                break
        own.close()

    def write(name: str) -> None:
        own = Store(database_url)
        for version in range(1, 41):
            own.append([freeze(f"company:{name}", version)])
        own.close()

    writers = [threading.Thread(target=write, args=(str(n),)) for n in range(4)]
    reader = threading.Thread(target=follow)
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert len(seen) == 160
    assert seen == sorted(seen)


def test_an_untouched_log_verifies(store: Store, database_url: str) -> None:
    store.append([freeze("company:a", 1), freeze("call:2026-11:d:1", 1)])
    store.append_new(store.encode([freeze("call:2026-11:d:1", 1)]))  # nothing new to seal
    store.append([freeze("company:a", 2)])
    verdict = verify(database_url)
    assert (verdict.events, verdict.seals, verdict.fault) == (3, 2, "")


@pytest.mark.parametrize(
    ("tampering", "fault"),
    [
        (EDIT, "partition default at positions 2 to 3"),
        ("delete from billing_events where originator_id = 'call:2026-11:d:1'", "2 events were"),
        ("update seals set seal = sha256('x') where last_position = 1", "seal of positions 1 to 1"),
        ("delete from seals where last_position = 1", "a seal is missing before position 2"),
        (SMUGGLE, "company:z at position 4 is under no seal"),
    ],
    ids=["edited", "deleted", "seal altered", "seal deleted", "smuggled in"],
)
def test_tampering_is_located(store: Store, database_url: str, tampering: str, fault: str) -> None:
    store.append([freeze("company:a", 1)])
    store.append([freeze("company:b", 1), freeze("call:2026-11:d:1", 1)])
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(tampering.encode())
    assert fault in verify(database_url).fault

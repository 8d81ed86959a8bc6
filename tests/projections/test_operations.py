"""The log of operations is built from the event log, so no operation can be missing."""

import ast
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from billing.aggregates.call import (
    CallLinked,
    CallParted,
    CallRated,
    CallReinstated,
    CallRerated,
    CallSuspended,
    CallVoided,
    ConflictKept,
)
from billing.aggregates.event import Envelope
from billing.aggregates.events import TOPICS, decode_stored
from billing.aggregates.extension import ExtensionEntry, ExtensionsAssigned
from billing.log.partitions import Dates
from billing.log.store import Encoded, Pending, Row, Store
from billing.projections import operations, projections
from billing.projections.runner import Runner
from tests.projections.sample import INSTALLATION, SAID, ZONE, append, received, runner, stream

ROOT = Path(__file__).parent.parent.parent
FOSSILS = ROOT / "tests" / "fossils"
# Events of single calls; what people do to calls is summarised (aggregates/rerating.py).
OF_CALLS = (
    CallLinked,
    CallParted,
    CallRated,
    CallReinstated,
    CallRerated,
    CallSuspended,
    CallVoided,
    ConflictKept,
)
SOMEBODY = Envelope(
    recorded_at=datetime(2026, 11, 25, 8, tzinfo=UTC),
    actor="administrator:marta",
    address="192.0.2.9",
    request_id="r1",
)


def test_every_event_except_those_of_calls_has_a_line_with_actor_time_and_ip_address(
    store: Store, database_url: str
) -> None:
    told = sorted(topic for topic, kind in TOPICS.items() if kind not in OF_CALLS)
    pending = []
    for version, topic in enumerate(told, 1):
        event = decode_stored(topic, (FOSSILS / f"{topic}.json").read_bytes()).event
        pending.append(Pending("thing:one", version, event, SOMEBODY))
    store.append(pending)
    call = received(0, 1_000)
    append(store, [(stream(call), call)])
    (projection,) = [each for each in projections(ZONE) if each.name == operations.NAME]
    runner = Runner(database_url, store, [projection])
    runner.catch_up()
    runner.close()
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "select topic, actor, address, request_id, recorded_at from operations"
            " order by position"
        ).fetchall()
    assert [row[0] for row in rows] == [topic.partition(".")[0] for topic in told]
    assert {row[1:] for row in rows} == {
        ("administrator:marta", "192.0.2.9", "r1", SOMEBODY.recorded_at)
    }


def test_only_the_store_appends_and_it_requires_an_actor() -> None:
    required = {field.name for field in msgspec.structs.fields(Envelope) if field.required}
    assert required == {"recorded_at", "actor"}
    writers = set()
    for path in (ROOT / "billing").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                said = " ".join(node.value.split()).lower()
                for table in ("billing_events", "operations"):
                    if f"insert into {table}" in said or f"copy {table} (" in said:
                        writers.add((path.name, table))
    assert writers == {
        ("store.py", "billing_events"),
        ("restore.py", "billing_events"),  # a backup of the log, as sealed
        ("operations.py", "operations"),
    }


def test_a_log_of_version_0_1_rebuilds_to_the_rows_that_it_would_have_today(
    database_url: str, store: Store
) -> None:
    entries = [
        ExtensionEntry(
            extension="101", account="user:ana", name="Ana", valid_from=SAID.recorded_at
        ),
        ExtensionEntry(extension="102", tenant="a.example"),
        ExtensionEntry(extension="101", account="user:ana", name="Mesa"),
    ]
    append(store, INSTALLATION)
    now = [("device:new", ExtensionsAssigned(entries=(entry,))) for entry in entries]
    append(store, now)
    rows = [old_row(at, entry) for at, entry in enumerate(entries, 1)]
    store.append_new(Encoded([], rows, Dates(SAID.recorded_at)))
    own = runner(database_url, store)
    own.catch_up()
    own.close()
    for table in ("device_extensions", "extension_assignments", "account_lines", "operations"):
        old, new = of_device(database_url, table, "old"), of_device(database_url, table, "new")
        assert old == new != [], table


def old_row(version: int, entry: ExtensionEntry) -> Row:
    """The assignment as version 0.1 wrote it."""
    event = {"event": entry, "envelope": SAID}
    return Row("device:old", version, "ExtensionAssigned.1", msgspec.json.encode(event))


def of_device(url: str, table: str, device: str) -> list[dict[str, Any]]:
    """What a read model has of a device, without its id, positions and topics."""
    with psycopg.connect(url) as connection:
        found = connection.execute(f"select to_jsonb(t) from {table} t order by t".encode())
        rows = [row for (row,) in found.fetchall()]
    kept = [row for row in rows if device in (row.get("device_id"), str(row.get("stream"))[7:])]
    without = {"device_id", "stream", "position", "given_at", "topic"}
    return [{name: row[name] for name in row if name not in without} for row in kept]

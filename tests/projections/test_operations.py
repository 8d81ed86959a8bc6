"""The log of operations is built from the event log, so no operation can be missing."""

import ast
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg

from billing.aggregates.call import (
    CallLinked,
    CallRated,
    CallRerated,
    CallSuspended,
    CallVoided,
    ConflictKept,
)
from billing.aggregates.event import Envelope
from billing.aggregates.events import TOPICS, decode_stored
from billing.log.store import Pending, Store
from billing.projections import operations, projections
from billing.projections.runner import Runner
from tests.projections.sample import ZONE, append, received, stream

ROOT = Path(__file__).parent.parent.parent
FOSSILS = ROOT / "tests" / "fossils"
# Events of single calls; what people do to calls is summarised (aggregates/rerating.py).
OF_CALLS = (CallLinked, CallRated, CallRerated, CallSuspended, CallVoided, ConflictKept)
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

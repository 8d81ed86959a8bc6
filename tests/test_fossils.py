"""One stored event of every topic ever published can still be decoded."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from billing.aggregates.event import Envelope, Event
from billing.aggregates.events import (
    TOPIC_OF,
    TOPICS,
    UPCASTS,
    current_topic,
    decode_stored,
    topics_of,
)
from billing.aggregates.extension import ExtensionEntry, ExtensionsAssigned
from billing.aggregates.statement import ClassCharge, Heading, StatementClosed, Totals

FOSSILS = Path(__file__).parent / "fossils"
# What the fossil of an old topic is read as today.
UPCAST: dict[str, Event] = {
    "ExtensionAssigned.1": ExtensionsAssigned(
        entries=(
            ExtensionEntry(
                extension="101",
                account="user:ana",
                name="Recepción",
                tenant="a.example",
                valid_from=datetime(2026, 11, 23, 10, microsecond=123_456, tzinfo=UTC),
            ),
        )
    ),
    "StatementClosed.1": StatementClosed(
        month="2026-10",
        currency="EUR",
        opening_micros=5_000_000,
        totals=Totals(
            recharges_micros=10_000_000,
            reversals_micros=-1_000_000,
            adjustments_micros=250_000,
            charges=(
                ClassCharge(
                    call_class="local", calls=12, billed_seconds=640, amount_micros=1_250_000
                ),
                ClassCharge(
                    call_class="international",
                    calls=1,
                    billed_seconds=60,
                    amount_micros=310_000,
                    late=True,
                ),
            ),
        ),
        rounding_micros=0,
        closing_micros=12_690_000,
        heading=Heading(),
    ),
}


@pytest.mark.parametrize("path", sorted(FOSSILS.glob("*.json")), ids=lambda path: path.stem)
def test_a_fossil_decodes_and_says_what_it_said(path: Path) -> None:
    topic, state = path.stem, path.read_bytes()
    stored = decode_stored(topic, state)
    msgspec.json.decode(stored.envelope, type=Envelope)
    told = msgspec.json.decode(state)
    written: Event = stored.event
    if topic in UPCASTS:
        written = msgspec.convert(told["event"], UPCASTS[topic].old, strict=False)
        assert stored.event == UPCAST[topic]
    assert msgspec.json.decode(msgspec.json.encode(written)) == told["event"]


def test_every_topic_has_its_fossil_and_no_topic_was_taken_away() -> None:
    assert {path.stem for path in FOSSILS.glob("*.json")} == {*TOPICS, *UPCASTS}
    assert not TOPICS.keys() & UPCASTS.keys()


@pytest.mark.parametrize("topic", sorted(UPCASTS))
def test_an_old_topic_leads_to_one_of_today_and_is_found_with_it(topic: str) -> None:
    kind = TOPICS[current_topic(topic)]
    assert UPCASTS[topic].old not in TOPIC_OF, "nobody can write it any more"
    assert {topic, TOPIC_OF[kind]} <= set(topics_of([kind]))
    others = [other for other in TOPICS.values() if other is not kind]
    assert topic not in topics_of(others)

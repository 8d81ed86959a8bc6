"""One stored event of every topic ever published decodes for ever."""

from pathlib import Path

import msgspec
import pytest

from billing.aggregates.event import Envelope
from billing.aggregates.events import TOPICS, decode_event

FOSSILS = Path(__file__).parent / "fossils"


class Fossil(msgspec.Struct):
    """The bytes that lay in `state`."""

    event: msgspec.Raw
    envelope: msgspec.Raw


@pytest.mark.parametrize("path", sorted(FOSSILS.glob("*.json")), ids=lambda path: path.stem)
def test_a_fossil_decodes_and_says_what_it_said(path: Path) -> None:
    fossil = msgspec.json.decode(path.read_bytes(), type=Fossil)
    event = decode_event(path.stem, bytes(fossil.event))
    msgspec.json.decode(fossil.envelope, type=Envelope)
    assert msgspec.json.decode(msgspec.json.encode(event)) == msgspec.json.decode(fossil.event)


def test_every_topic_has_its_fossil_and_no_topic_was_taken_away() -> None:
    assert {path.stem for path in FOSSILS.glob("*.json")} == set(TOPICS)

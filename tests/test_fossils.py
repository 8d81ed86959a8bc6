"""One stored event of every topic ever published decodes for ever."""

from pathlib import Path

import msgspec
import pytest

from billing.aggregates.event import Envelope
from billing.aggregates.events import TOPICS, decode_stored

FOSSILS = Path(__file__).parent / "fossils"


@pytest.mark.parametrize("path", sorted(FOSSILS.glob("*.json")), ids=lambda path: path.stem)
def test_a_fossil_decodes_and_says_what_it_said(path: Path) -> None:
    stored = decode_stored(path.stem, path.read_bytes())
    msgspec.json.decode(stored.envelope, type=Envelope)
    told = msgspec.json.decode(path.read_bytes())
    assert msgspec.json.decode(msgspec.json.encode(stored.event)) == told["event"]


def test_every_topic_has_its_fossil_and_no_topic_was_taken_away() -> None:
    assert {path.stem for path in FOSSILS.glob("*.json")} == set(TOPICS)

"""Whatever is appended can be projected: hostile texts in every field of every event."""

import random
import typing
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from billing.aggregates.event import Event
from billing.aggregates.events import TOPICS, decode_stored
from billing.log.store import Pending, Store
from tests.conftest import fresh_database
from tests.projections.sample import INSTALLATION, SAID, append, runner

FOSSILS = Path(__file__).parents[1] / "fossils"
CHANCE = random.Random(1)  # noqa: S311 -- the same texts in every run
HOSTILE = {
    "NUL": "a\x00b",
    "surrogate": "a\ud800b",
    "newline": "a\r\nBcc: b@example.org",
    "long": "".join(CHANCE.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=9_000)),
    "wide": "".join(chr(CHANCE.randrange(0x1F300, 0x1F6FF)) for _ in range(3_000)),
    "direction": "\u202e\u200b\ufeff",
    "empty": "",
}
# Decisions admit only what they can parse: no event holds another text there.
FORMATTED = {"month", "price", "raw_encoding", "time_zone"}


def walk(value: Any, text: str, only: str, name: str = "", hint: Any = None) -> Any:
    """The value with `text` in every free text of the field `only`; "" = of all fields."""
    if isinstance(value, str):
        literal = typing.get_origin(hint) is typing.Literal
        skip = literal or name in FORMATTED or only not in ("", name)
        return value if skip else text
    if isinstance(value, msgspec.Struct) and not isinstance(value, msgspec.Raw):
        hints = typing.get_type_hints(type(value))
        return msgspec.structs.replace(
            value,
            **{
                field: walk(getattr(value, field), text, only, field, hints[field])
                for field in value.__struct_fields__
            },
        )
    if isinstance(value, tuple):
        inner = typing.get_args(hint)
        return tuple(walk(part, text, only, name, inner[0] if inner else None) for part in value)
    if isinstance(value, dict):
        return {key: walk(part, text, only, name) for key, part in value.items()}
    return value


def names_of(value: Any) -> Iterator[str]:
    """The fields of an event and of everything in it that hold texts."""
    if isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            part = getattr(value, field)
            if isinstance(part, str):
                yield field
            yield from names_of(part)
    elif isinstance(value, tuple):
        for part in value:
            if isinstance(part, str):
                continue
            yield from names_of(part)


def hostile_events(topic: str) -> Iterator[tuple[str, Event]]:
    """The stored example of a topic with hostile texts in one field after the other."""
    stored = decode_stored(topic, (FOSSILS / f"{topic}.json").read_bytes())
    for kind, text in HOSTILE.items():
        for field in sorted({"", *names_of(stored.event)}):
            yield (
                f"{kind} in {field or 'every field'} of {topic}",
                walk(stored.event, text, field),
            )


def stream_for(topic: str, number: int) -> str:
    """A stream such as the kind of event has, and no other topic's events are on."""
    if topic.startswith(("Call", "Conflict")) and not topic.startswith("CallsRestored"):
        return f"call:2026-11:pbx:{topic}-{number}"
    return f"company:{topic}-{number}"


@pytest.fixture(scope="module")
def url(server_url: str, template: str) -> Iterator[str]:
    """The URL of a small installation, to which each topic's events are added."""
    with fresh_database(server_url, template) as url:
        with closing(Store(url)) as store:
            append(store, INSTALLATION)
        yield url


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_no_text_in_any_field_of_an_event_stops_a_read_model(topic: str, url: str) -> None:
    pending = [
        Pending(stream_for(topic, number), 1, event, SAID)
        for number, (_, event) in enumerate(hostile_events(topic))
    ]
    with closing(Store(url)) as store, closing(runner(url, store)) as following:
        store.append(pending)
        following.catch_up()
    with psycopg.connect(url, autocommit=True) as seen:
        rows = seen.execute("delete from set_aside returning name, error").fetchall()
    assert rows == []

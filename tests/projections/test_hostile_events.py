"""Whatever is appended can be projected: hostile values in every field of every event."""

import functools
import random
import typing
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from billing.aggregates.bounds import refuse_unfit
from billing.aggregates.event import Event
from billing.aggregates.events import TOPICS, decode_stored
from billing.commands.catalogue import Catalogue
from billing.log.store import Pending, Store
from billing.policies.running import Policies
from billing.queries.history import read_history
from billing.queries.replay import replay
from billing.values import MOST_NUMBER, Refused
from tests.conftest import fresh_database
from tests.projections.sample import INSTALLATION, SAID, append, runner

# What the catalogue lacks is tested with the submissions (tests/commands/test_catalogue.py).
ASIDE = "select name, error from set_aside where name <> 'catalogue'"
FOSSILS = Path(__file__).parents[1] / "fossils"
CHANCE = random.Random(1)  # noqa: S311 -- the same texts in every run
FAR = timezone(timedelta(hours=14))
TEXTS = {
    "NUL": "a\x00b",
    "surrogate": "a\ud800b",
    "newline": "a\r\nBcc: b@example.org",
    "long": "".join(CHANCE.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=9_000)),
    "wide": "".join(chr(CHANCE.randrange(0x1F300, 0x1F6FF)) for _ in range(3_000)),
    "direction": "\u202e\u200b\ufeff",
    "empty": "",
    "not a number": "NaN",
    "14 digits": "12345678901234.5",
    "negative": "-1",
    "another date": "9999-12",
}
NUMBERS = {
    str(value): value
    for value in (-1, 0, 2**31, 2**63 - 1, 2**63, 10**30, -(10**30), MOST_NUMBER, -MOST_NUMBER)
}
MOMENTS = {
    "year 1": datetime(1, 1, 1, tzinfo=UTC),
    "year 9999": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    "far zone": datetime(2026, 11, 30, 23, 59, tzinfo=FAR),
    "no zone": datetime(2026, 11, 30),  # noqa: DTZ001
    "1970": datetime(1970, 1, 1, tzinfo=UTC),
    "2199": datetime(2199, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
}
DAYS = {"day 1": date.min, "last day": date.max, "day of 1970": date(1970, 1, 1)}
HOSTILE: tuple[dict[str, Any], ...] = (TEXTS, NUMBERS, MOMENTS, DAYS)
TUPLES: dict[str, int] = {"no parts": 0, "1,000 parts": 1_000}

hints_of = functools.cache(typing.get_type_hints)


def swap(value: Any, hostile: Any, only: str, hint: Any, name: str = "") -> Any:
    """The value with `hostile` in every part of its type in the field `only`; "" = of all fields.

    A choice takes it too, so it is one that no reader knows.
    """
    if isinstance(value, msgspec.Struct) and not isinstance(value, msgspec.Raw):
        hints = hints_of(type(value))
        parts = {
            field: swap(getattr(value, field), hostile, only, hints[field], field)
            for field in value.__struct_fields__
        }
        return msgspec.structs.replace(value, **parts)
    if isinstance(value, tuple):
        inner = (*typing.get_args(hint), None)[0]
        return tuple(swap(part, hostile, only, inner, name) for part in value)
    kinds = (hint, *typing.get_args(hint))
    is_of_type = type(hostile) in kinds or type(value) is type(hostile)
    return hostile if is_of_type and only in ("", name) else value


def stretch(value: Any, parts: int, only: str, name: str = "") -> Any:
    """The value with `parts` copies of the first part in the tuples of the field `only`."""
    if isinstance(value, tuple):
        if only == name:
            return value[:1] * parts
        return tuple(stretch(part, parts, only, name) for part in value)
    if isinstance(value, msgspec.Struct) and not isinstance(value, msgspec.Raw):
        fields = value.__struct_fields__
        changed = {field: stretch(getattr(value, field), parts, only, field) for field in fields}
        return msgspec.structs.replace(value, **changed)
    return value


def fields_of(kind: Any) -> Iterator[tuple[str, Any]]:
    """The fields of an event and of everything in it, with their types."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for name, hint in hints_of(kind).items():
            yield name, hint
            yield from fields_of(hint)
    for part in typing.get_args(kind):
        yield from fields_of(part)


def hostile_events(topic: str) -> Iterator[tuple[str, Event]]:
    """The stored example of a topic with hostile values in one field after the other."""
    event = decode_stored(topic, (FOSSILS / f"{topic}.json").read_bytes()).event
    fields = dict(fields_of(type(event)))
    for values in HOSTILE:
        for name, hostile in values.items():
            for field in ("", *fields):
                if (changed := swap(event, hostile, field, None)) != event:
                    yield f"{name} in {field or 'every field'} of {topic}", changed
    for name, parts in TUPLES.items():
        for field in fields:
            if (changed := stretch(event, parts, field)) != event:
                yield f"{name} in {field} of {topic}", changed


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


def is_fit(event: Event) -> bool:
    """Whether the store takes an event."""
    try:
        refuse_unfit(event)
    except Refused:
        return False
    return True


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_no_value_in_any_field_of_an_event_stops_a_reader(topic: str, url: str) -> None:
    fit = [event for _, event in hostile_events(topic) if is_fit(event)]
    with (
        closing(Store(url)) as store,
        closing(runner(url, store)) as following,
        closing(psycopg.connect(url, autocommit=True)) as seen,
    ):
        store.append(
            [Pending(stream_for(topic, number), 1, event, SAID) for number, event in enumerate(fit)]
        )
        following.catch_up()
        Catalogue().refresh(store)
        Policies(seen, store, None).step()
        for account in ("company:acme", f"company:{topic}-1"):
            replayed = list(replay(seen, store, account))
            assert not replayed or replayed[-1].done
            read_history(seen, store, account, size=50)
        aside = seen.execute(ASIDE).fetchall()
        seen.execute("delete from set_aside")
    assert aside == []

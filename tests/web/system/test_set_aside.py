"""What a read model refuses of any kind of event is set aside and shown; all others continue."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg import Cursor

from billing.aggregates.events import TOPICS, decode_stored
from billing.log.store import Pending, Recorded, Store
from billing.projections import Projection, projections
from billing.projections.runner import Runner
from billing.web.services import freshness
from tests.projections.sample import SAID, ZONE
from tests.projections.test_hostile_events import FOSSILS, stream_for
from tests.web.serving import SignIn, add_administrator, install, served

ASIDE = "select name, topic from set_aside"
CHECKPOINTS = "select distinct position from checkpoints"
PAGES = ("/", "/calls", "/companies", "/movements", "/statistics", "/devices", "/rate-groups")
Apply = Callable[[Cursor[Any], Sequence[Recorded]], None]


def refusing(apply: Apply, first: int) -> Apply:
    """A read model with an error that every event from a position on meets."""

    def refuse(cursor: Cursor[Any], batch: Sequence[Recorded]) -> None:
        for recorded in batch:
            if recorded.position >= first:
                raise KeyError(recorded.topic)
        apply(cursor, batch)

    return refuse


def with_errors(first: int) -> list[Projection]:
    """All read models, each with that error."""
    return [
        msgspec.structs.replace(each, apply=refusing(each.apply, first))
        for each in projections(ZONE)
    ]


def test_what_any_read_model_refuses_of_any_topic_is_set_aside_and_shown(
    database_url: str,
    store: Store,
    sign_in: SignIn,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(freshness, "MAX_AGE_SECONDS", 0.0)
    install(database_url)
    add_administrator(database_url)
    with closing(Runner(database_url, store, projections(ZONE))) as runner:
        runner.catch_up()
    pending = [
        Pending(
            stream_for(topic, number),
            1,
            decode_stored(topic, (FOSSILS / f"{topic}.json").read_bytes()).event,
            SAID,
        )
        for number, topic in enumerate(TOPICS)
    ]
    last = store.append(pending)
    with closing(Runner(database_url, store, with_errors(last - len(pending) + 1))) as runner:
        runner.catch_up()
    of_calls = {each.stream for each in pending if each.stream.startswith("call:")}
    expected = {
        (each.name, topic)
        for each in projections(ZONE)
        for topic, event in zip(TOPICS, pending, strict=True)
        if each.calls or event.stream not in of_calls
    }
    with psycopg.connect(database_url) as connection:
        assert set(connection.execute(ASIDE).fetchall()) == expected
        assert connection.execute(CHECKPOINTS).fetchall() == [(last,)]
    with served(database_url, tmp_path) as address:
        client = sign_in(address)
        for path in PAGES:
            assert "could not be processed and were set aside" in client.get(path).text, path
        system, metrics = client.get("/system").text, client.get("/metrics").text
        for each in projections(ZONE):
            count = sum(name == each.name for name, _ in expected)
            assert f'contarifa_events_set_aside{{projection="{each.name}"}} {count}' in metrics
        assert "KeyError" in system

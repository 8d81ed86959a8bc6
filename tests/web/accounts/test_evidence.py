"""The evidence of an account is read a few events at a time, however many there are."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from billing.log import store as log
from billing.log.store import Store
from billing.web.accounts import evidence
from tests.web.serving import install

ACCOUNT = "company:clinica"
FEW = 7


@pytest.fixture
def installed(database_url: str) -> str:
    """A log with the calls of some companies; its database."""
    install(database_url)
    return database_url


@pytest.fixture
def connection(installed: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection for the queries of the evidence."""
    with psycopg.connect(installed, autocommit=True) as opened:
        yield opened


def lines_of(connection: psycopg.Connection[Any], store: Store) -> list[dict[str, Any]]:
    found = b"".join(evidence.evidence_lines(connection, store, ACCOUNT))
    return [json.loads(line) for line in found.splitlines()]


def test_few_at_a_time_tell_the_same_as_all_at_once(
    connection: psycopg.Connection[Any], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = lines_of(connection, store)
    monkeypatch.setattr(log, "AT_ONCE", FEW)
    monkeypatch.setattr(evidence, "AT_ONCE", FEW)
    batches = list(evidence.events_of(connection, store, ACCOUNT))
    assert len(batches) > FEW
    assert max(map(len, batches)) == FEW
    few = lines_of(connection, store)
    assert [each for each in few if "stream" in each] == [
        each for each in whole if "stream" in each
    ]
    seals = [each["seal"] for each in few if "seal" in each]
    assert seals == [each["seal"] for each in whole if "seal" in each], "each of them once"
    assert all(one["last_position"] < two["first_position"] for one, two in pairwise(seals))


def test_no_more_than_a_batch_of_the_log_is_in_memory(
    installed: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "AT_ONCE", FEW)
    events = store.concerning(ACCOUNT, 0, 10_000)
    first = next(events)
    with psycopg.connect(installed, autocommit=True) as other:
        other.execute("delete from billing_events where notification_id > %s", (first.position,))
    assert len(list(events)) == FEW - 1, "what was not read yet is gone"

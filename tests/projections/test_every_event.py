"""Every event of a noun is followed by each read model of that noun, or ignored with a reason."""

from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg import Cursor

from billing.aggregates.event import Envelope
from billing.aggregates.events import TOPICS, decode_stored
from billing.log.store import Recorded
from billing.projections import Projection, projections
from tests.projections.sample import ZONE

FOSSILS = Path(__file__).parents[1] / "fossils"
STREAMS = {
    "account": "company:acme",
    "api_token": "administrator:marta",
    "administrator": "administrator:marta",
    "call": "call:pbx/2026-11-23/k",
    "company": "company:acme",
    "device": "device:pbx",
    "extension": "device:pbx",
    "keeping": "keeping:2026-10",
    "number_plan": "number-plan:main",
    "rate_group": "rate-group:standard",
    "rerating": "correction:c1",
    "route_prefix": "device:pbx",
    "second_factor": "administrator:marta",
    "statement": "company:acme",
    "sub_account": "user:ana",
}
PASSWORDS = "passwords and codes are in tables of secrets"
CALLS = "only what a device sent counts; another event of a call changes no count of its device"
NOT_BEHIND = (
    "DeviceChanged.1",
    "DeviceDisabled.1",
    "DeviceEnabled.1",
    "DeviceRegistered.1",
    "TenantNamed.1",
    "TrunkAssigned.1",
)
# The nouns of each read model, and the events of these nouns that it ignores, with the reason.
NOUNS: dict[str, dict[str, dict[str, str]]] = {
    "accounts": {"account": {}, "company": {}, "sub_account": {}, "statement": {}},
    "administrators": {
        "administrator": {
            "AdministratorPasswordChanged.1": PASSWORDS,
            "AdministratorPasswordReset.1": PASSWORDS,
        },
    },
    "balances": {
        "account": {},
        "company": {},
        "sub_account": {},
        "statement": {},
        "call": {
            "CallLinked.1": "what it reverses is an event of its own",
            "CallParted.1": "what is charged again is an event of its own",
            "CallSuspended.1": "it has no price yet",
            "ConflictKept.1": "the first record stays charged",
        },
    },
    "calls": {
        "call": dict.fromkeys(("CallLinked.1", "CallParted.1"), "its partner is shown from the log")
    },
    "cascades": {
        "device": {
            **dict.fromkeys(NOT_BEHIND, "it does not say what is behind what"),
            "PairParted.1": "the events of the two calls say it",
        }
    },
    "devices": {
        "call": dict.fromkeys(
            (
                "CallLinked.1",
                "CallParted.1",
                "CallReinstated.1",
                "CallRerated.1",
                "CallVoided.1",
                "ConflictKept.1",
            ),
            CALLS,
        ),
        "device": dict.fromkeys(
            ("CascadeSet.1", "PairParted.1", "TenantNamed.1", "TrunkAssigned.1"),
            "shown from the log",
        ),
        "extension": {},
    },
    "keeping": {"keeping": {"CallsRestored.1": "the months it restored are attached by events"}},
    "number_plan": {"number_plan": {}},
    "operations": {noun: {} for noun in STREAMS},
    "prices": {
        "rate_group": dict.fromkeys(
            ("RateGroupCreated.1", "RateGroupDeleted.1", "RateGroupRenamed.1"), "it sets no price"
        ),
    },
    "rate_groups": {"rate_group": {}},
    "usage": {
        "call": {
            "CallLinked.1": "what it reverses is an event of its own",
            "CallParted.1": "what is charged again is an event of its own",
            "CallSuspended.1": "it has no price yet",
            "ConflictKept.1": "the first record stays charged",
        },
    },
}


class Writing(Cursor[Any]):
    """A cursor that counts the statements that write."""

    written = 0

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        """Count what is no query."""
        text = query if isinstance(query, str) else bytes(query).decode()
        self.written += not text.lstrip().lower().startswith(("select", "set "))
        return super().execute(query, *args, **kwargs)

    def executemany(self, query: Any, params_seq: Any, **kwargs: Any) -> None:
        """Count one statement if there is anything to write."""
        params = list(params_seq)
        self.written += bool(params)
        super().executemany(query, params, **kwargs)

    def copy(self, statement: Any, *args: Any, **kwargs: Any) -> Any:
        """Count a copy."""
        self.written += 1
        return super().copy(statement, *args, **kwargs)


def written_by(connection: psycopg.Connection[Any], projection: Projection, topic: str) -> bool:
    """Return whether a read model writes when it gets the fossil of a topic, first or later."""
    stored = decode_stored(topic, (FOSSILS / f"{topic}.json").read_bytes())
    envelope = msgspec.json.decode(stored.envelope, type=Envelope)
    written = 0
    for version in (1, 5):
        recorded = Recorded(STREAMS[noun_of(topic)], version, 10, topic, stored.event, envelope)
        with (
            connection.transaction(force_rollback=True),
            Writing(connection) as cursor,
        ):
            projection.apply(cursor, [recorded])
            written += cursor.written
    return written > 0


def noun_of(topic: str) -> str:
    """Return the module of an event: its noun."""
    return TOPICS[topic].__module__.rpartition(".")[2]


def test_every_event_has_a_noun_and_every_read_model_its_nouns() -> None:
    assert {noun_of(topic) for topic in TOPICS} == STREAMS.keys()
    known = {projection.name for projection in projections(ZONE)}
    assert known - {"books"} == NOUNS.keys(), "books note every event"


def test_a_read_model_follows_every_event_of_its_nouns_or_says_why_not(database_url: str) -> None:
    by_name = {projection.name: projection for projection in projections(ZONE)}
    wrong = []
    with psycopg.connect(database_url) as connection:
        for name, nouns in NOUNS.items():
            for topic in TOPICS:
                ignored = nouns.get(noun_of(topic))
                if ignored is None:
                    continue
                follows = written_by(connection, by_name[name], topic)
                if follows == (topic in ignored):
                    wrong.append((name, topic, "writes" if follows else "does nothing"))
    assert wrong == []

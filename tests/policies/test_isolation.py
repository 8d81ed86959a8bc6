"""What a policy can't act on is set aside: the other accounts, calls and policies continue."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import Connection

from billing.aggregates.account import AccountAdjusted, AccountFrozenByPolicy, LimitsSet
from billing.aggregates.statement import StatementClosed
from billing.log.store import Store
from billing.policies import isolation
from billing.policies.running import Policies
from billing.projections.runner import Runner
from billing.values import MOST_NUMBER
from tests.projections.sample import INSTALLATION, append, runner

ACME, ANA = "company:acme", "user:ana"
LIMITS = LimitsSet(credit_limit_micros=0, low_balance_micros=None, freeze_at_limit=True)
NOTES = "select name, stream, topic from set_aside order by name, stream"


def adjusted(micros: int) -> AccountAdjusted:
    """A correction of a balance, in micro-units."""
    return AccountAdjusted(amount_micros=micros, currency="EUR", reason="error")


class Running:
    """The policies of a small installation, over its read models."""

    def __init__(self, url: str, store: Store, connection: Connection) -> None:
        self.store, self.connection = store, connection
        self.runner: Runner = runner(url, store)
        self.policies = Policies(connection, store, None)

    def run(self, *, times: int = 4) -> None:
        """Run the policies so often that the second failure is reached and everything is shown."""
        for _ in range(times):
            self.runner.catch_up()
            self.policies.step()
        self.runner.catch_up()

    def notes(self) -> list[tuple[str, str, str]]:
        """What is set aside: by whom, the stream and the topic of its last event."""
        return self.connection.execute(NOTES).fetchall()

    def told(self, account: str, kind: type) -> int:
        """How many events of a kind an account has."""
        return sum(isinstance(each.event, kind) for each in self.store.load(account))


@pytest.fixture
def running(database_url: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(isolation, "FIRST_PAUSE_SECONDS", 0.0)
    append(store, [*INSTALLATION, (ACME, LIMITS), (ANA, LIMITS)])
    with psycopg.connect(database_url, autocommit=True) as connection:
        made = Running(database_url, store, connection)
        yield made
        made.runner.close()


def test_an_account_that_a_policy_can_not_act_on_stops_no_other(
    running: Running, store: Store
) -> None:
    low = [(ACME, adjusted(-MOST_NUMBER)) for _ in range(2)]  # no event can tell such a balance
    append(store, [*low, (ANA, adjusted(-1))])
    running.run()
    assert running.notes() == [("policy:limits", ACME, "AccountAdjusted.1")]
    assert running.told(ANA, AccountFrozenByPolicy) == 1
    append(store, [(ACME, adjusted(MOST_NUMBER))])
    running.run()
    assert running.notes() == []
    assert running.told(ACME, AccountFrozenByPolicy) == 1


def test_a_policy_that_fails_as_a_whole_stops_no_other_and_goes_on_when_mended(
    running: Running, store: Store
) -> None:
    append(store, [(ANA, adjusted(-1))])
    running.runner.catch_up()
    running.connection.execute("update books set zone = 'Mars/Olympus'")
    running.run()
    assert running.notes() == [("policy:closing", "policy", "")]
    assert running.told(ANA, AccountFrozenByPolicy) == 1
    running.connection.execute("update books set zone = 'Europe/Madrid', open_month = '2026-09'")
    running.run(times=8)
    assert running.notes() == []
    assert store.load("books")


def test_a_month_is_closed_only_when_every_account_has_its_statement_of_the_one_before(
    running: Running, store: Store
) -> None:
    low = [(ACME, adjusted(-MOST_NUMBER)) for _ in range(2)]
    append(store, [*low, (ANA, adjusted(-1))])
    running.runner.catch_up()
    running.connection.execute("update books set open_month = '2026-09', completed = '2026-08'")
    running.connection.execute("update account_months set month = '2026-09'")
    running.connection.execute("update accounts set opened_at = '2026-09-01'")
    running.run(times=6)
    assert running.told(ANA, StatementClosed) == 1
    assert running.told(ACME, StatementClosed) == 0
    assert [each.event for each in store.load("books")][1:] == []
    assert ("policy:closing", ACME, "AccountAdjusted.1") in running.notes()


def test_a_new_start_tries_everything_again(
    running: Running, store: Store, database_url: str
) -> None:
    append(store, [(ACME, adjusted(-MOST_NUMBER)) for _ in range(2)])
    running.run()
    assert running.notes()
    with psycopg.connect(database_url, autocommit=True) as connection:
        Policies(connection, store, None)
        assert running.notes() == []

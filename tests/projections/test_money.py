"""Random histories of accounts: balance, movements, days, books, statements and replay agree."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.aggregates.account import AccountClosed, AccountFrozen, AccountUnfrozen, Limits
from billing.aggregates.event import Envelope, Event
from billing.commands import accounts, companies, sub_accounts
from billing.log.store import Pending, Store
from billing.periods import month_before, month_end
from billing.policies.closing import close_books
from billing.policies.ledger import LOCK, check_ledger
from billing.policies.limits import watch_limits
from billing.projections import projections
from billing.projections import runner as running
from billing.projections.runner import Runner
from billing.queries.history import read_history, read_moment
from billing.queries.replay import replay
from billing.queries.statements import billed_calls
from billing.values import Money, Refused
from tests.conftest import fresh_database
from tests.projections.sample import ZONE, received, runner, stream

BEGIN = datetime(2026, 10, 20, 9, tzinfo=UTC)
ACME, ANA = "company:acme", "user:ana"
CENT = 10_000
OPEN = companies.OpenCompany(
    company_id="acme", name="Acme", currency="EUR", time_zone=ZONE, payment="prepaid"
)
OWN = sub_accounts.OpenSubAccount(account=ANA, company_id="acme", name="Ana", own_wallet=True)
SUMS = """
select account, balance_micros, credited_micros - charged_micros,
 (select coalesce(sum(credited_micros - charged_micros), 0) from balance_days d
  where d.account = b.account),
 (select coalesce(sum(amount_micros), 0) from account_months m where m.account = b.account),
 (select coalesce(sum(amount_micros), 0) from movements m where m.account = b.account)
   - (select coalesce(sum(charged_micros), 0) from account_charges c where c.account = b.account)
from balances b"""
CHAINS = """
select account,
 opening_micros + credited_micros - charged_micros + rounding_micros = closing_micros,
 opening_micros = coalesce(lag(closing_micros) over (partition by account order by month), 0)
from statements"""
OPEN_MONTHS = """
select account, (select closing_micros from statements s where s.account = b.account
  order by month desc limit 1),
 (select coalesce(sum(amount_micros), 0) from account_months m where m.account = b.account
  and month >= (select open_month from books)), balance_micros
from balances b"""
MONEY = (
    "account_charges account_marks account_months balance_days balances books movements statements"
)


def said(at: datetime) -> Envelope:
    return Envelope(recorded_at=at, actor="administrator:marta", address="192.0.2.1")


class Life:
    """An installation with a manual clock."""

    def __init__(self, url: str, store: Store) -> None:
        self.store, self.now = store, BEGIN
        self.connection = psycopg.connect(url, autocommit=True)
        self.runner: Runner = runner(url, store)
        self.calls: list[tuple[str, Event]] = []
        self.recharges: list[tuple[str, int]] = []
        companies.open_company(store, OPEN, said(self.now))
        sub_accounts.open_sub_account(store, OWN, said(self.now))
        limits = Limits(credit_limit_micros=0, low_balance_micros=5_000_000, freeze_at_limit=True)
        accounts.set_limits(store, accounts.SetLimits(account=ACME, limits=limits), said(self.now))

    def close(self) -> None:
        self.runner.close()
        self.connection.close()

    def do(self, action: tuple[str, int], micros: int) -> None:
        kind, number = action
        account = ACME if number % 2 else ANA
        paid = Money(max(micros // CENT, 1) * CENT, "EUR")
        self.now += timedelta(hours=3)
        envelope = said(self.now)
        match kind:
            case "call":
                event = received(number * 40, micros, user=account == ANA)
                pending = Pending(stream(event), 1, event, envelope)
                self.store.append_new(self.store.encode([pending]))
            case "recharge":
                recharge = accounts.RechargeAccount(account=account, amount=paid, reason="cash")
                accounts.recharge(self.store, recharge, envelope)
                self.recharges.append((account, len(self.store.load(account))))
            case "reverse" if self.recharges:
                account, version = self.recharges.pop()
                back = accounts.ReverseRecharge(account=account, version=version, reason="wrong")
                accounts.reverse_recharge(self.store, back, envelope)
            case "adjust":
                adjustment = accounts.AdjustAccount(
                    account=account, amount=Money(-paid.micros, "EUR"), reason="billed twice"
                )
                accounts.adjust(self.store, adjustment, envelope)
            case "wait":
                self.now += timedelta(days=number)
                self.settle()

    def settle(self) -> None:
        """Run the policies until they have nothing left to do."""
        self.runner.catch_up()
        while watch_limits(self.connection, self.store, self.now) or close_books(
            self.connection, self.store, self.now
        ):
            self.runner.catch_up()

    def ask(self, query: str) -> list[Any]:
        return self.connection.execute(query.encode()).fetchall()

    def tables(self) -> dict[str, list[Any]]:
        return {
            table: sorted(self.ask(f"select * from {table}"), key=str) for table in MONEY.split()
        }


@contextmanager
def fresh_life(server_url: str, template: str) -> Iterator[Life]:
    """Yield a fresh installation for each example."""
    with fresh_database(server_url, template) as url:
        store = Store(url)
        own = Life(url, store)
        yield own
        own.close()
        store.close()


@pytest.fixture
def life(database_url: str, store: Store) -> Iterator[Life]:
    own = Life(database_url, store)
    yield own
    own.close()


actions = st.tuples(
    st.sampled_from(["call", "call", "call", "recharge", "reverse", "adjust", "wait"]),
    st.integers(1, 40),
)


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    done=st.lists(st.tuples(actions, st.integers(1, 30_000_000)), min_size=5, max_size=40),
    batch=st.sampled_from([1, 3, 5_000]),
)
def test_all_figures_agree_after_any_history(
    server_url: str, template: str, done: list[tuple[tuple[str, int], int]], batch: int
) -> None:
    with fresh_life(server_url, template) as life, patch.object(running, "BATCH", batch):
        for action, micros in done:
            life.do(action, micros)
        life.settle()
        for account, month, charged in life.ask(
            "select account, month, charged_micros from statements"
        ):
            billed = billed_calls(life.connection, life.store, account, month)
            assert sum(call.charged_micros for call in billed) == charged, (account, month)
        for account, balance, *others in life.ask(SUMS):
            assert {balance, *others} == {balance}, account
            *_, progress = replay(life.connection, life.store, account)
            assert progress.equal
            assert walked(life, account) == balance
            assert read_moment(life.connection, life.store, account, life.now).balance_micros == (
                balance
            )
        assert all(adds_up and follows for _, adds_up, follows in life.ask(CHAINS))
        assert (
            life.ask("select closing_micros from statements where closing_micros % 10000 <> 0")
            == []
        )
        assert check_ledger(life.connection, life.now)
        assert life.ask("select * from ledger_differences") == []
        assert all(
            (closing or 0) + moved == balance
            for _, closing, moved, balance in life.ask(OPEN_MONTHS)
        )
        before = life.tables()
        # Read models fed afterwards, all at once, are the same.
        for name in ("balances", "books"):
            life.runner.rebuild(name)
        with patch.object(running, "BATCH", 5_000):
            life.runner.catch_up()
        after = life.tables()
        for table in ("account_marks", "account_months", "balance_days", "movements", "statements"):
            assert after[table] == before[table], table


def walked(life: Life, account: str) -> int:
    """Page back from the newest event to the first; return the balance after the newest."""
    start, first, amounts = None, None, 0
    while True:
        page = read_history(life.connection, life.store, account, start=start, size=7)
        for entry in page.entries:
            first = entry.balance_micros if first is None else first
            amounts += entry.amount_micros
        if page.older is None:
            break
        start = page.older
    assert amounts == first
    return amounts


def test_a_late_call_goes_to_the_open_month_and_is_marked_as_late(life: Life) -> None:
    life.do(("recharge", 1), 50_000_000)
    life.do(("call", 1), 1_000_000)
    life.now = month_end("2026-10", ZONE) + timedelta(hours=2)
    life.settle()
    life.do(("call", 3), 250_000)  # started in October, received after the month was closed
    life.now = month_end("2026-11", ZONE) + timedelta(hours=2)
    life.settle()
    found = life.ask(
        "select month, late, calls, amount_micros from account_months"
        " where kind = 'charge' order by 1, 2"
    )
    assert found == [("2026-10", False, 1, -1_000_000), ("2026-11", True, 1, -250_000)]
    assert life.ask(
        "select month, opening_micros, closing_micros from statements"
        " where account = 'company:acme' order by month"
    ) == [("2026-10", 0, 49_000_000), ("2026-11", 49_000_000, 48_750_000)]


def test_months_are_closed_once_each_even_after_a_long_downtime(life: Life) -> None:
    life.do(("recharge", 1), 50_000_000)
    life.now = datetime(2027, 2, 10, tzinfo=UTC)
    life.settle()
    life.settle()
    months = life.ask("select month from statements where account = 'company:acme' order by 1")
    assert [month for (month,) in months] == ["2026-10", "2026-11", "2026-12", "2027-01"]
    assert month_before("2027-01") == "2026-12"
    assert [each.topic for each in life.store.load("books")] == [
        "MonthClosed.1",
        "StatementsCompleted.1",
    ] * 4


def test_a_wallet_that_neither_moved_nor_holds_anything_gets_no_statement(life: Life) -> None:
    life.do(("recharge", 1), 50_000_000)
    life.now = datetime(2027, 2, 10, tzinfo=UTC)
    life.settle()
    assert life.ask("select distinct account from statements") == [("company:acme",)]


def test_a_wallet_opened_after_the_month_has_a_statement_of_its_calls(life: Life) -> None:
    life.do(("recharge", 1), 50_000_000)
    life.now = month_end("2026-10", ZONE) + timedelta(minutes=5)  # over, and not closed yet
    own = sub_accounts.OpenSubAccount(
        account="user:eva", company_id="acme", name="Eva", own_wallet=True
    )
    sub_accounts.open_sub_account(life.store, own, said(life.now))
    event = received(40, 1_234_567, user=True, user_account="user:eva")
    pending = Pending(stream(event), 1, event, said(life.now))
    life.store.append_new(life.store.encode([pending]))
    life.now = month_end("2026-11", ZONE) + timedelta(hours=2)
    life.settle()
    assert life.ask(
        "select month, opening_micros, charged_micros, rounding_micros, closing_micros"
        " from statements where account = 'user:eva' order by month"
    ) == [
        ("2026-10", 0, 1_234_567, 4_567, -1_230_000),
        ("2026-11", -1_230_000, 0, 0, -1_230_000),
    ]
    assert check_ledger(life.connection, life.now)
    assert life.ask("select * from ledger_differences") == []


def test_who_pays_what_a_statement_shows_owes_nothing(life: Life) -> None:
    life.do(("call", 1), 14_900)
    life.do(("call", 3), 14_900)
    life.now = month_end("2026-10", ZONE) + timedelta(hours=2)
    life.settle()
    ((shown,),) = life.ask("select closing_micros from statements where account = 'company:acme'")
    assert shown == -30_000
    pay = accounts.RechargeAccount(account=ACME, amount=Money(-shown, "EUR"), reason="paid")
    accounts.recharge(life.store, pay, said(life.now))
    life.settle()
    assert life.ask("select balance_micros from balances where account = 'company:acme'") == [(0,)]
    movements = "select kind, amount_micros, reference from movements order by position"
    assert life.ask(movements) == [("rounding", -200, "2026-10"), ("recharge", 30_000, "")]


def test_a_wallet_that_does_not_add_up_is_named(life: Life) -> None:
    life.do(("recharge", 1), 50_000_000)
    life.now = month_end("2026-10", ZONE) + timedelta(hours=2)
    life.settle()
    assert check_ledger(life.connection, life.now)
    assert not check_ledger(life.connection, life.now), "nothing changed since"
    life.connection.execute("update account_months set amount_micros = amount_micros + 1")
    life.now += timedelta(days=2)
    assert check_ledger(life.connection, life.now)
    assert sorted(life.ask("select * from ledger_differences")) == [
        ("company:acme", "", 50_000_000, 50_000_001),
        ("company:acme", "2026-10", 50_000_000, 50_000_001),
    ]
    assert life.ask("select wallets from ledger_checks") == [(2,)]


def test_two_services_do_not_check_the_ledger_at_once(life: Life) -> None:
    life.do(("recharge", 1), 50_000_000)
    life.settle()
    with psycopg.connect(life.connection.info.dsn) as other:
        other.execute(LOCK)
        assert not check_ledger(life.connection, life.now)
    assert check_ledger(life.connection, life.now)


def test_a_closed_account_stays_closed_in_the_read_model(life: Life) -> None:
    for event in (
        AccountFrozen(reason="unpaid"),
        AccountClosed(reason="left"),
        AccountUnfrozen(reason="by an older version"),
    ):
        version = len(life.store.load(ANA)) + 1
        life.store.append([Pending(ANA, version, event, said(life.now))])
    life.settle()
    assert life.ask("select state from accounts where account = 'user:ana'") == [("closed",)]


def test_a_closed_month_keeps_its_end_in_whatever_zone(life: Life) -> None:
    life.do(("recharge", 1), 50_000_000)
    life.now = month_end("2026-10", ZONE) - timedelta(minutes=20)  # in Lima it is late afternoon
    life.do(("adjust", 1), 1_000_000)
    life.now = month_end("2026-11", ZONE) + timedelta(hours=2)
    life.settle()
    months = life.ask("select * from account_months order by 1, 2, 3")
    elsewhere = Runner(life.connection.info.dsn, life.store, projections("America/Lima"))
    elsewhere.catch_up()
    assert life.ask("select * from account_months order by 1, 2, 3") == months
    elsewhere.close()


def test_the_policy_freezes_and_undoes_only_its_own_freezes(life: Life) -> None:
    life.do(("recharge", 1), 6_000_000)
    life.do(("call", 1), 2_000_000)
    life.settle()
    state = "select state, frozen_by_policy, warned from accounts where kind = 'company'"
    assert life.ask(state) == [("open", False, True)]
    life.do(("call", 3), 5_000_000)
    life.settle()
    assert life.ask(state) == [("frozen", True, True)]
    life.do(("recharge", 1), 20_000_000)
    life.settle()
    assert life.ask(state) == [("open", False, False)]
    hold = accounts.FreezeAccount(account=ACME, reason="unpaid")
    accounts.freeze(life.store, hold, said(life.now))
    life.do(("recharge", 1), 20_000_000)
    life.settle()
    assert life.ask(state) == [("frozen", False, False)]


def test_a_past_moment_is_replayed_as_it_was(life: Life) -> None:
    life.do(("recharge", 1), 50_000_000)
    life.do(("call", 1), 2_000_000)
    between = life.now
    life.do(("call", 3), 3_000_000)
    accounts.freeze(
        life.store, accounts.FreezeAccount(account=ACME, reason="unpaid"), said(life.now)
    )
    life.settle()
    moment = read_moment(life.connection, life.store, ACME, between)
    assert moment.balance_micros == 48_000_000
    assert [each.topic for each in moment.events] == [
        "CompanyOpened.1",
        "LimitsSet.1",
        "AccountRecharged.1",
    ]


def test_a_tampered_balance_is_not_equal(life: Life) -> None:
    life.do(("call", 1), 2_000_000)
    life.settle()
    life.connection.execute("update balances set balance_micros = balance_micros + 1")
    *_, progress = replay(life.connection, life.store, ACME)
    assert not progress.equal
    assert progress.shown_micros - progress.balance_micros == 1


def test_an_unknown_kind_of_history_is_refused(life: Life) -> None:
    with pytest.raises(Refused, match="can't be nonsense"):
        read_history(life.connection, life.store, ACME, kind="nonsense", size=5)

"""Companies, accounts, rate groups, plans and administrators: commands done or refused."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from billing.aggregates import company
from billing.aggregates.account import AccountFrozen, AccountRecharged, AccountUnfrozen
from billing.aggregates.administrator import AdministratorAdded
from billing.aggregates.company import CompanyOpened, RateGroupBound
from billing.aggregates.event import Event
from billing.aggregates.number_plan import SEED, NumberPlanReplaced
from billing.aggregates.rate_group import RateGroupCreated, RatesChanged
from billing.aggregates.sub_account import UserAccountOpened
from billing.cli.setup import said_here
from billing.commands import (
    accounts,
    administrators,
    companies,
    number_plan,
    rate_groups,
    sub_accounts,
)
from billing.commands.deciding import ATTEMPTS, decide
from billing.credentials.passwords import verify_password
from billing.log.store import Pending, Store
from billing.rating.number_plan import PlanEntry
from billing.rating.rates import Rate, Tier
from billing.values import Money, Refused

ENVELOPE = said_here()
ACME = companies.OpenCompany(
    company_id="acme", name="Acme", currency="EUR", time_zone="Europe/Madrid"
)
GROUP = rate_groups.CreateRateGroup(group_id="g", name="Standard", currency="EUR")
ANA = sub_accounts.OpenSubAccount(
    account="user:ana", company_id="acme", name="Ana", own_wallet=True
)


def events(store: Store, stream: str) -> list[Event]:
    return [recorded.event for recorded in store.load(stream)]


def recharge(reference: str, micros: int = 1_000_000) -> accounts.RechargeAccount:
    return accounts.RechargeAccount(
        account="company:acme", amount=Money(micros, "EUR"), reason="cash", reference=reference
    )


def test_a_company_is_opened_and_bound_to_a_rate_group(store: Store) -> None:
    rate_groups.create_rate_group(store, GROUP, ENVELOPE)
    first = companies.open_company(store, ACME, ENVELOPE)
    bind = companies.BindRateGroup(company_id="acme", group_id="g")
    assert companies.bind_rate_group(store, bind, ENVELOPE) > first
    assert [type(event) for event in events(store, "company:acme")] == [
        CompanyOpened,
        RateGroupBound,
    ]


def test_a_missing_stream_is_named_in_the_refusal(store: Store) -> None:
    companies.open_company(store, ACME, ENVELOPE)
    with pytest.raises(Refused, match="There is no rate-group:g"):
        companies.bind_rate_group(
            store, companies.BindRateGroup(company_id="acme", group_id="g"), ENVELOPE
        )
    rate_groups.create_rate_group(store, GROUP, ENVELOPE)
    with pytest.raises(Refused, match="There is no company:nobody"):
        companies.bind_rate_group(
            store, companies.BindRateGroup(company_id="nobody", group_id="g"), ENVELOPE
        )
    with pytest.raises(Refused, match="There is no company:nobody"):
        sub_accounts.open_sub_account(
            store,
            sub_accounts.OpenSubAccount(account="user:x", company_id="nobody", name="X"),
            ENVELOPE,
        )
    with pytest.raises(Refused, match="device:pbx is not an account"):
        accounts.freeze(store, accounts.FreezeAccount(account="device:pbx", reason="x"), ENVELOPE)
    with pytest.raises(Refused, match="There is no user:nobody"):
        accounts.freeze(store, accounts.FreezeAccount(account="user:nobody", reason="x"), ENVELOPE)


def test_a_refused_command_leaves_nothing_behind(store: Store) -> None:
    companies.open_company(store, ACME, ENVELOPE)
    before = len(store.after(0, 100))
    with pytest.raises(Refused, match="already"):
        companies.open_company(store, ACME, ENVELOPE)
    with pytest.raises(Refused, match="EUX is not a currency"):
        rate_groups.create_rate_group(
            store, rate_groups.CreateRateGroup(group_id="x", name="X", currency="EUX"), ENVELOPE
        )
    assert len(store.after(0, 100)) == before


def test_a_sub_account_has_the_currency_of_its_company(store: Store) -> None:
    companies.open_company(store, ACME, ENVELOPE)
    sub_accounts.open_sub_account(store, ANA, ENVELOPE)
    assert events(store, "user:ana") == [
        UserAccountOpened(company_id="acme", name="Ana", currency="EUR", own_wallet=True)
    ]


def test_an_account_is_recharged_frozen_and_unfrozen(store: Store) -> None:
    companies.open_company(store, ACME, ENVELOPE)
    sub_accounts.open_sub_account(store, ANA, ENVELOPE)
    ten = accounts.RechargeAccount(
        account="user:ana", amount=Money(10_000_000, "EUR"), reason="cash"
    )
    accounts.recharge(store, ten, ENVELOPE)
    accounts.freeze(store, accounts.FreezeAccount(account="user:ana", reason="unpaid"), ENVELOPE)
    accounts.unfreeze(store, accounts.UnfreezeAccount(account="user:ana", reason="paid"), ENVELOPE)
    assert [type(event) for event in events(store, "user:ana")[1:]] == [
        AccountRecharged,
        AccountFrozen,
        AccountUnfrozen,
    ]


def test_a_recharge_sent_twice_is_posted_once(store: Store) -> None:
    companies.open_company(store, ACME, ENVELOPE)
    accounts.recharge(store, recharge("4411"), ENVELOPE)
    with pytest.raises(Refused, match="4411 was already made"):
        accounts.recharge(store, recharge("4411"), ENVELOPE)
    assert len(events(store, "company:acme")) == 2


def test_a_rate_group_has_its_defaults_and_can_be_priced(store: Store) -> None:
    rate_groups.create_rate_group(store, GROUP, ENVELOPE)
    spain = Rate(name="España", prefix="34", tiers=(Tier(price="0.018"),))
    rate_groups.change_rates(store, rate_groups.ChangeRates(group_id="g", rates=(spain,)), ENVELOPE)
    assert events(store, "rate-group:g") == [
        RateGroupCreated(name="Standard", currency="EUR"),
        RatesChanged(rates=rate_groups.default_rates()),
        RatesChanged(rates=(spain,)),
    ]
    with pytest.raises(Refused, match="There is no rate-group:none"):
        rate_groups.change_rates(
            store, rate_groups.ChangeRates(group_id="none", rates=(spain,)), ENVELOPE
        )


def test_a_number_plan_is_replaced(store: Store) -> None:
    madrid = PlanEntry(prefix="3491", area="Madrid", type="landline")
    for entries in ((madrid,), ()):
        command = number_plan.ReplaceNumberPlan(layer=SEED, entries=entries)
        number_plan.replace_number_plan(store, command, ENVELOPE)
    assert events(store, SEED) == [
        NumberPlanReplaced(entries=(madrid,)),
        NumberPlanReplaced(entries=()),
    ]


def test_an_administrator_is_added_with_a_password_of_which_only_the_hash_is_stored(
    store: Store, database_url: str
) -> None:
    marta = administrators.AddAdministrator(administrator_id="m", sign_in_name="marta")
    with psycopg.connect(database_url, autocommit=True) as connection:
        password = administrators.add_administrator(store, connection, marta, ENVELOPE).password
        row = connection.execute(
            "select password_hash, must_change from administrator_credentials"
        ).fetchone()
    assert row
    assert verify_password(row[0], password)
    assert row[1] is True
    (event,) = events(store, "administrator:m")
    assert isinstance(event, AdministratorAdded)
    assert password.encode() not in bytes(str(event), "utf-8")


def test_a_refused_administrator_leaves_neither_event_nor_credentials(
    store: Store, database_url: str
) -> None:
    def add(administrator_id: str, name: str, role: str = "administrator") -> None:
        command = administrators.AddAdministrator(
            administrator_id=administrator_id, sign_in_name=name, role=role
        )
        administrators.add_administrator(store, connection, command, ENVELOPE)

    with psycopg.connect(database_url, autocommit=True) as connection:
        add("m", "marta")
        with pytest.raises(Refused, match="marta is taken"):
            add("n", "marta")
        with pytest.raises(Refused, match="king is not a role"):
            add("k", "ana", "king")
        rows = connection.execute("select sign_in_name from administrator_credentials").fetchall()
    assert rows == [("marta",)]
    assert [recorded.stream for recorded in store.after(0, 10)] == ["administrator:m"]


def at_once(jobs: Sequence[Callable[[], object]]) -> list[str]:
    """Run jobs in threads that start together; return the refusals."""
    refusals, gate = list[str](), threading.Barrier(len(jobs))

    def run(job: Callable[[], object]) -> None:
        gate.wait()
        try:
            job()
        except Refused as refused:
            refusals.append(str(refused))

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return refusals


def test_a_reference_used_by_several_threads_at_once_is_posted_once(store: Store) -> None:
    companies.open_company(store, ACME, ENVELOPE)
    refusals = at_once([lambda: accounts.recharge(store, recharge("4411"), ENVELOPE)] * 4)
    assert len(refusals) == 3
    assert len(events(store, "company:acme")) == 2


def test_the_slower_writer_decides_again_on_the_new_state(store: Store) -> None:
    companies.open_company(store, ACME, ENVELOPE)
    seen: list[bool] = []

    def freeze_after_another(state: company.Company) -> list[Event]:
        if not seen:  # another writer appends between our read and our append
            accounts.recharge(store, recharge("first"), ENVELOPE)
        seen.append("first" in state.references)
        return [AccountFrozen(reason="unpaid")]

    decide(store, "company:acme", company.evolve, freeze_after_another, ENVELOPE)
    assert seen == [False, True]
    assert [type(event) for event in events(store, "company:acme")[1:]] == [
        AccountRecharged,
        AccountFrozen,
    ]


def test_a_writer_that_always_conflicts_is_asked_to_try_again(store: Store) -> None:
    companies.open_company(store, ACME, ENVELOPE)
    tries: list[int] = []

    def late(state: company.Company) -> list[Event]:
        tries.append(1)
        taken = len(store.load("company:acme")) + 1
        store.append([Pending("company:acme", taken, AccountFrozen(reason="x"), ENVELOPE)])
        return [AccountFrozen(reason="unpaid")]

    with pytest.raises(Refused, match="Try again"):
        decide(store, "company:acme", company.evolve, late, ENVELOPE)
    assert len(tries) == ATTEMPTS
    assert AccountFrozen(reason="unpaid") not in events(store, "company:acme")


def test_twenty_recharges_at_the_same_moment_are_all_made(store: Store) -> None:
    companies.open_company(store, ACME, ENVELOPE)
    with ThreadPoolExecutor(20) as pool:
        positions = list(
            pool.map(
                lambda number: accounts.recharge(store, recharge(f"transfer {number}"), ENVELOPE),
                range(20),
            )
        )
    made = [each for each in events(store, "company:acme") if isinstance(each, AccountRecharged)]
    assert len(set(positions)) == 20
    assert {each.reference for each in made} == {f"transfer {number}" for number in range(20)}
    assert len(made) == 20

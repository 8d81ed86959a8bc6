"""Rating calls again in the background: previewed, applied once, stopped and resumed."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection

from billing.aggregates.call import CallRerated
from billing.aggregates.event import Envelope
from billing.aggregates.rerating import CorrectionEnded, stream_of
from billing.cli.setup import said_here
from billing.commands import companies, rate_groups
from billing.commands.calls import SubmitCalls, submit
from billing.commands.catalogue import Catalogue
from billing.commands.rerating import (
    CorrectCalls,
    RateCallAgain,
    ReratingTotal,
    ReratingTotals,
    correct_calls,
    rate_call_again,
)
from billing.log.store import Store
from billing.rating.rates import Rate, Tier
from billing.rerating import queue, steps
from billing.rerating import worker as working
from billing.rerating.queue import CallSelection, Correction
from billing.rerating.worker import Worker
from billing.values import Money, Refused, new_id
from tests.commands.test_calls import record
from tests.ingest.serving import install
from tests.projections.sample import charges, rows, runner

SAID = said_here()
# Requested, applied, stopped, what was written until then, resumed, the rest.
DECIDED = ("marta", "otto", "rosa", "otto", "ines", "ines")
FRANCE = "0033145678901"
Work = Callable[[], bool]


def set_price(store: Store, prefix: str, price: str, group: str = "g") -> None:
    rate = Rate(name=prefix, prefix=prefix, tiers=(Tier(price=price),))
    rate_groups.change_rates(store, rate_groups.ChangeRates(group_id=group, rates=(rate,)), SAID)


@pytest.fixture
def installed(store: Store, database_url: str) -> Store:
    """Five calls at 0.018 a minute, and two to a country without a rate."""
    install(database_url)
    records = [record(f"k{number}") for number in range(5)]
    records += [record(f"f{number}", called=FRANCE) for number in range(2)]
    submit(store, Catalogue(), [SubmitCalls(device_id="pbx", records=records, envelope=SAID)])
    catch_up(database_url, store)
    return store


@pytest.fixture
def work(installed: Store, database_url: str) -> Iterator[Work]:
    """Run one correction, with the read models up to date before and after."""
    worker = Worker(database_url, installed, threading.Event())

    def carry_out() -> bool:
        catch_up(database_url, installed)
        worked = worker.work()
        catch_up(database_url, installed)
        return worked

    yield carry_out
    worker.close()


def catch_up(url: str, store: Store) -> None:
    own = runner(url, store)
    own.catch_up()
    own.close()


def told(url: str, action: Callable[[AsyncConnection[Any]], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with await AsyncConnection.connect(url, autocommit=True) as connection:
            return await action(connection)

    return asyncio.run(run())


def by(who: str) -> Envelope:
    return Envelope(recorded_at=datetime.now(UTC), actor=f"administrator:{who}", address="::1")


def ask(url: str, kind: Any, **asked: Any) -> str:
    command = steps.RequestCorrection(
        correction_id=new_id(), kind=kind, selection=CallSelection(**asked)
    )
    with closing(Store(url)) as store:
        steps.request(store, command, by("marta"))
    return command.correction_id


def find(url: str, correction_id: str) -> Correction:
    found = told(url, lambda own: queue.find(own, correction_id))
    assert isinstance(found, Correction)
    return found


def change(url: str, correction_id: str, what: Any, who: str = "otto") -> None:
    kind = find(url, correction_id).kind
    command = steps.ChangeCorrection(correction_id=correction_id, kind=kind, what=what)
    with closing(Store(url)) as store:
        steps.change(store, command, by(who))


def apply(url: str, correction_id: str) -> None:
    change(url, correction_id, "applied")


def rerated(store: Store) -> list[CallRerated]:
    events = [recorded.event for recorded in store.after(0, 10_000)]
    return [event for event in events if isinstance(event, CallRerated)]


def test_suspended_calls_are_rated_when_the_missing_price_exists(
    installed: Store, work: Work, database_url: str
) -> None:
    nothing = ask(database_url, "recycle", reason="no_rate")
    assert work()
    assert find(database_url, nothing).lines == [
        ReratingTotal(company_id="acme", currency="EUR", calls=2, stuck=2)
    ]
    set_price(installed, "33", "0.5")
    recycled = ask(database_url, "recycle", reason="no_rate")
    assert work()
    assert not work()
    done = find(database_url, recycled)
    assert (done.state, done.expected, done.looked_at) == ("done", 2, 2)
    assert done.lines == [
        ReratingTotal(company_id="acme", currency="EUR", calls=2, changed=2, new_micros=1_000_000)
    ]
    catch_up(database_url, installed)
    assert set(charges(database_url).values()) == {5 * 18_000 + 1_000_000}


def test_re_rating_previews_the_changes_and_posts_the_difference_when_applied(
    installed: Store, work: Work, database_url: str
) -> None:
    set_price(installed, "34", "0.02")
    correction = ask(database_url, "rerate", company_id="acme")
    work()
    expected = [
        ReratingTotal(
            company_id="acme",
            currency="EUR",
            calls=5,
            changed=5,
            old_micros=90_000,
            new_micros=100_000,
        )
    ]
    previewed = find(database_url, correction)
    assert (previewed.state, previewed.lines) == ("ready", expected)
    assert rerated(installed) == []
    apply(database_url, correction)
    work()
    applied = find(database_url, correction)
    assert (applied.state, applied.lines) == ("done", expected)
    assert [event.before.amount_micros for event in rerated(installed)] == [18_000] * 5
    written = installed.after(0, 10_000)[-1].envelope
    assert (written.actor, written.request_id) == ("administrator:otto", correction)
    catch_up(database_url, installed)
    assert set(charges(database_url).values()) == {100_000}


def noted(store: Store, about: str) -> list[CorrectionEnded]:
    events = [recorded.event for recorded in store.load(stream_of(about))]
    return [event for event in events if isinstance(event, CorrectionEnded)]


def test_a_correction_that_wrote_something_is_recorded_as_a_whole(
    installed: Store, work: Work, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_price(installed, "34", "0.02")
    correction = ask(database_url, "rerate", company_id="acme")
    work()
    assert noted(installed, correction) == []  # a preview changes nothing
    apply(database_url, correction)
    monkeypatch.setattr(working, "BATCH", 2)
    stop = correct_calls

    def stop_after_a_batch(*given: Any) -> int:
        change(database_url, correction, "stopped", "rosa")
        return stop(*given)

    with monkeypatch.context() as patched:
        patched.setattr(working, "correct_calls", stop_after_a_batch)
        work()
    (stopped,) = noted(installed, correction)
    assert (stopped.outcome, stopped.calls, stopped.changed) == ("cancelled", 2, 2)
    change(database_url, correction, "resumed", "ines")
    work()
    (_, done) = noted(installed, correction)
    assert (done.outcome, done.calls, done.changed, done.company_id) == ("done", 5, 5, "acme")
    assert (done.amounts_before, done.amounts_after) == (
        (Money(90_000, "EUR"),),
        (Money(100_000, "EUR"),),
    )
    envelope = installed.load(stream_of(correction))[-1].envelope
    assert (envelope.actor, envelope.address) == ("administrator:ines", "::1")
    actors = [each.envelope.actor for each in installed.load(stream_of(correction))]
    assert actors == [f"administrator:{who}" for who in DECIDED]


def test_a_re_rating_of_a_single_call_is_recorded_too(installed: Store, database_url: str) -> None:
    call = "call:2026-11:pbx:k0"
    set_price(installed, "34", "0.02")
    position = rate_call_again(installed, RateCallAgain(stream=call), SAID)
    (done,) = noted(installed, call)
    assert (done.kind, done.calls, done.changed) == ("rerate", 1, 1)
    assert installed.load(stream_of(call))[-1].position == position
    with pytest.raises(Refused, match="nothing changed"):
        rate_call_again(installed, RateCallAgain(stream=call), SAID)
    set_price(installed, "34", "0.03")
    later = msgspec.structs.replace(SAID, request_id="another")
    rate_call_again(installed, RateCallAgain(stream=call), later)
    assert len(noted(installed, call)) == 2


def test_an_interrupted_correction_counts_and_posts_everything_once(
    installed: Store,
    work: Work,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_price(installed, "34", "0.02")
    correction = ask(database_url, "rerate")
    work()
    apply(database_url, correction)
    # A crash: a batch is in the log, but its progress was not saved.
    command = CorrectCalls(
        kind="rerate",
        streams=["call:2026-11:pbx:k0", "call:2026-11:pbx:k1"],
        envelope=Envelope(
            recorded_at=SAID.recorded_at, actor="administrator:marta", request_id=correction
        ),
    )
    catalogue = Catalogue()
    catalogue.refresh(installed)
    correct_calls(installed, catalogue, command, ReratingTotals.of())
    catch_up(database_url, installed)
    monkeypatch.setattr(working, "BATCH", 2)
    work()
    (line,) = find(database_url, correction).lines
    assert (line.calls, line.changed, line.old_micros, line.new_micros) == (5, 5, 90_000, 100_000)
    catch_up(database_url, installed)
    assert set(charges(database_url).values()) == {100_000}


def test_a_cancelled_correction_resumes_where_it_stopped(
    installed: Store, work: Work, database_url: str
) -> None:
    set_price(installed, "34", "0.02")
    correction = ask(database_url, "rerate")
    change(database_url, correction, "stopped")
    assert not work()
    change(database_url, correction, "resumed")
    assert work()
    assert find(database_url, correction).state == "ready"


def test_a_what_if_computes_the_cost_with_another_group_and_writes_nothing(
    installed: Store, work: Work, database_url: str
) -> None:
    plan = rate_groups.CreateRateGroup(group_id="b", name="Plan B", currency="EUR")
    rate_groups.create_rate_group(installed, plan, SAID)
    set_price(installed, "34", "0.01", "b")
    dollars = companies.OpenCompany(
        company_id="usa", name="USA", currency="USD", time_zone="America/New_York"
    )
    companies.open_company(installed, dollars, SAID)
    catch_up(database_url, installed)
    before = rows(database_url)
    correction = ask(database_url, "what_if", with_group="b")
    position = installed.after(0, 10_000)[-1].position
    work()
    done = find(database_url, correction)
    assert done.state == "done"
    (line,) = done.lines
    assert (line.changed, line.old_micros, line.new_micros) == (5, 90_000, 50_000)
    catch_up(database_url, installed)
    assert rows(database_url) == before
    assert installed.after(0, 10_000)[-1].position == position


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(prices=st.lists(st.integers(0, 99_999), min_size=1, max_size=3))
def test_differences_add_up_to_the_new_sum_however_often_prices_change(
    installed: Store, work: Work, database_url: str, prices: list[int]
) -> None:
    for price in prices:
        before = charges(database_url)["balances"]
        set_price(installed, "34", f"0.{price:05}")
        for again in (False, True):
            known = len(rerated(installed))
            correction = ask(database_url, "rerate")
            work()
            apply(database_url, correction)
            work()
            (line,) = find(database_url, correction).lines
            if again:  # the same rates change nothing
                assert (line.changed, len(rerated(installed))) == (0, known)
            else:
                assert before + line.new_micros - line.old_micros == line.new_micros
    assert len(set(charges(database_url).values())) == 1
    with psycopg.connect(database_url) as connection:
        query = "select sum(amount_micros)::bigint from call_list"
        ((total,),) = connection.execute(query).fetchall()
    assert total == charges(database_url)["balances"]


TALKS = st.lists(
    st.tuples(st.sampled_from(("934567890", "612345678", "0049301234567")), st.integers(1, 9_000)),
    min_size=1,
    max_size=12,
)
PRICES = st.fixed_dictionaries(
    {prefix: st.integers(0, 99_999_999) for prefix in ("34", "346", "49")}
)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(talks=TALKS, rounds=st.lists(PRICES, min_size=1, max_size=2))
def test_any_calls_at_any_prices_are_re_rated_once_and_to_the_micro(
    installed: Store,
    work: Work,
    database_url: str,
    talks: list[tuple[str, int]],
    rounds: list[dict[str, int]],
) -> None:
    made = f"{installed.version('rate-group:g')}"  # other keys in each example
    records = [
        record(f"h{made}-{n}", called=called, billed_ms=seconds * 1000)
        for n, (called, seconds) in enumerate(talks)
    ]
    submit(installed, Catalogue(), [SubmitCalls(device_id="pbx", records=records, envelope=SAID)])
    for prices in rounds:
        for prefix, price in prices.items():
            set_price(installed, prefix, f"0.{price:08}")
        catch_up(database_url, installed)
        before, known = amounts(database_url), len(rerated(installed))
        for again in (False, True):
            correction = ask(database_url, "rerate")
            work()
            apply(database_url, correction)
            work()
            (line,) = find(database_url, correction).lines
            after, events = amounts(database_url), rerated(installed)[known:]
            posted = [each.rating.amount_micros - each.before.amount_micros for each in events]
            assert sum(posted) == sum(after.values()) - sum(before.values())  # no double posting
            assert line.new_micros == sum(after.values())
            assert line.old_micros == sum((after if again else before).values())
            assert line.changed == (0 if again else len(events))
        assert set(charges(database_url).values()) == {sum(after.values())}


def amounts(url: str) -> dict[str, int]:
    """The cost of each priced call."""
    with psycopg.connect(url) as connection:
        query = "select call_id, amount_micros from call_list where status <> 'suspended'"
        return dict(connection.execute(query).fetchall())

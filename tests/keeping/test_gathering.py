"""Partitions that version 0.1 made of implausible dates are gathered into one.

The long form has DRILLS kills and the months from 2011 to 2040; otherwise there are a dozen. With
a thousand months nothing here could read the log before they are gathered.
"""

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import psycopg
import pytest

from billing.aggregates.call import CallRated
from billing.aggregates.event import Envelope
from billing.aggregates.keeping import MOST_MONTHS
from billing.keeping import gathering
from billing.keeping.backup import back_up, back_up_calls
from billing.keeping.exclusive import Busy, exclusive
from billing.keeping.gathering import gather_months, stray_months
from billing.keeping.keeper import Keeper
from billing.keeping.months import kept_months
from billing.keeping.restore import restore
from billing.keeping.verifying import verify
from billing.keeping.worker import Worker
from billing.log.partitions import create_list_partition, create_partition
from billing.log.store import Pending, Store
from billing.periods import Period
from billing.queries.clock import ClockState
from tests.conftest import fresh_database
from tests.keeping.sample import LATER, catch_up, keys_of, listed, rebuild, sums
from tests.keeping.working import ready
from tests.projections.sample import SAID, ZONE, received

KILLS = int(os.environ.get("DRILLS", "1"))
LONGEST = 1.0  # seconds until a kill; a move waits for senders
NOW = datetime(2026, 11, 27, 0, 30, tzinfo=UTC)  # before the work of the night
KEPT = 6  # months, unless somebody sets another number
YEARS = range(2011, 2041) if "DRILLS" in os.environ else range(2190, 2191)
MONTHS = [f"{year}-{month:02}" for year in YEARS for month in range(1, 13)]
PARTITIONS = "select count(*) from pg_inherits where inhparent = %s::regclass"
OTHERS = (
    "select (select count(*) from billing_events_other), (select count(*) from call_list_other)"
)


def call_of(month: str, envelope: Envelope = SAID, key: str = "old") -> Pending:
    """Return a call of a month "2030-01": with the same arguments the same one."""
    call = received(1, 1_000_000)
    assert isinstance(call, CallRated)
    call = msgspec.structs.replace(call, filed_at=datetime.fromisoformat(f"{month}-15T12:00Z"))
    return Pending(f"call:{month}:pbx:{key}", 1, call, envelope)


@pytest.fixture
def old(keeper: Keeper) -> Keeper:
    """A log with another call in each of MONTHS, each with its partitions, as 0.1 made them."""
    with psycopg.connect(keeper.url) as connection, connection.cursor() as cursor:
        there = kept_months(connection)
        for number, month in enumerate(MONTHS):
            if month not in there:
                create_partition(cursor, month)
                create_list_partition(cursor, month)
            if number % 50 == 0:
                connection.commit()
    for begin in range(0, len(MONTHS), 100):  # each append plans for every partition
        keeper.store.append([call_of(month) for month in MONTHS[begin : begin + 100]])
    catch_up(keeper)
    return keeper


@contextmanager
def senders_repeat_known_calls(keeper: Keeper) -> Iterator[list[int]]:
    """Append calls that exist, again and again; yields the positions that they got."""
    ending, found = threading.Event(), list[int]()

    def send() -> None:
        with closing(Store(keeper.url)) as store:
            known = store.encode([call_of(month) for month in (*MONTHS[:6], *MONTHS[-6:])])
            while not ending.is_set():
                found.extend(store.append_new(known))

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield found
    finally:
        ending.set()
        sender.join()


def test_months_are_gathered_under_kills_and_no_call_is_missed(old: Keeper) -> None:
    log, calls, before = keys_of(old), listed(old.url), sums(old.url)
    with (
        psycopg.connect(old.url, autocommit=True) as connection,
        closing(Worker(old, ZONE)) as worker,
        senders_repeat_known_calls(old) as positions,
    ):
        months = kept_months(connection)
        worker.step(NOW, ClockState(doubt="jumped"))
        assert kept_months(connection) == months
        for _ in range(KILLS):
            with ready(old, ("gather", NOW.isoformat())) as (gatherer,):
                gatherer.begin()
                time.sleep(random.uniform(0, LONGEST))  # noqa: S311 -- not secret
                gatherer.process.kill()
            assert keys_of(old) == log
        while stray_months(kept_months(connection), (), NOW, KEPT):
            gather_months(old, NOW)
        left = [month for month in kept_months(connection) if month > "2026-09"]
        assert left == ["2026-10", "2026-11"]
        for table in ("billing_events", "call_list"):
            ((count,),) = connection.execute(PARTITIONS, (table,)).fetchall()
            assert count <= MOST_MONTHS + 1, table
        ((events, rows),) = connection.execute(OTHERS).fetchall()
        assert events == rows == len(months) - len(kept_months(connection))
    assert set(positions) == {0}
    assert keys_of(old) == log
    assert listed(old.url) == calls
    rebuild(old, "calls", "balances")
    assert (listed(old.url), sums(old.url)) == (calls, before)
    old.store.append([call_of(MONTHS[0], key="new")])
    catch_up(old)
    with psycopg.connect(old.url) as connection:
        assert connection.execute(OTHERS).fetchall() == [(events + 1, rows + 1)]
    verdict = verify(old.url, folder=old.archives)
    assert (verdict.fault, verdict.missing) == ("", ())


def test_a_gathered_month_gets_its_partition_again_when_it_has_come(old: Keeper) -> None:
    with closing(Worker(old, ZONE)) as worker:
        worker.step(NOW)
    month = MONTHS[-1]
    recorded_at = datetime.fromisoformat(f"{month}-16T00:00Z")
    later = msgspec.structs.replace(SAID, recorded_at=recorded_at)
    old.store.append([call_of(month, later, "new")])
    catch_up(old)
    with psycopg.connect(old.url) as connection:
        assert kept_months(connection)[-1] == month
        for table in ("billing_events", "call_list"):
            name = f"{table}_{month.replace('-', '_')}"
            found = connection.execute(f"select count(*) from {name}".encode())
            assert found.fetchall() == [(2,)]
    assert verify(old.url, folder=old.archives).fits


def test_backups_have_these_months_and_give_them_no_partition_again(
    old: Keeper, server_url: str, template: str, tmp_path: Path
) -> None:
    full = back_up(old, LATER)
    gather_months(old, NOW)
    year = Period(date(YEARS[0], 1, 1), date(YEARS[0], 12, 31))
    assert back_up_calls(old, year, ZoneInfo(ZONE), LATER).events == 12
    with fresh_database(server_url, template) as url:
        restore(url, old.backups / full.file, tmp_path / "elsewhere", ZONE, lambda _: None)
        with psycopg.connect(url) as connection:
            assert kept_months(connection)[-1] == "2026-11"
        assert listed(url) == listed(old.url)


def test_a_month_that_is_read_or_used_or_large_stays(
    old: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "ATTEMPTS", 1)
    with (
        psycopg.connect(old.url, autocommit=True) as connection,
        psycopg.connect(old.url) as reader,
    ):
        months = kept_months(connection)
        reader.execute("select count(*) from call_list")
        assert gather_months(old, NOW) == 0
        reader.rollback()
        hasty = msgspec.structs.replace(old, wait_seconds=0)
        with exclusive(old.url, "backup", 0), pytest.raises(Busy):
            gather_months(hasty, NOW)
        with monkeypatch.context() as less:
            less.setattr(gathering, "MOST_EVENTS", 0)
            assert gather_months(old, NOW) == 0
        assert kept_months(connection) == months
        used = "billing_events_" + months[-1].replace("-", "_")
        connection.execute(f"create view report as select topic from {used}".encode())
        assert gather_months(old, NOW) > 0
        assert kept_months(connection)[-1] == months[-1]
        assert stray_months(kept_months(connection), (), NOW, KEPT) == [months[-1]]


def test_stray_are_months_to_come_and_the_oldest_of_too_many() -> None:
    century = [f"{year}-{month:02}" for year in range(1990, 2101) for month in range(1, 13)]
    stray = stray_months(century, {"1990-02", "2099-01"}, NOW, KEPT)
    past = [month for month in century if month <= "2026-11"]
    assert stray[0] == "1990-01"
    assert len(past) - sum(month < "2026-11" for month in stray) == MOST_MONTHS
    assert [month for month in stray if month > "2026-11"] == [
        month for month in century if month > "2026-11" and month != "2099-01"
    ]
    assert stray_months(past[-MOST_MONTHS:], (), NOW, KEPT) == []
    assert stray_months(["2026-11", "2026-12"], (), NOW.replace(day=30), KEPT) == []
    assert stray_months([], (), NOW, KEPT) == []

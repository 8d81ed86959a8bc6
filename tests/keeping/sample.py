"""An installation with calls in several months, and every figure that must survive."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from billing.aggregates.event import Envelope
from billing.commands.catalogue import Catalogue
from billing.commands.keeping import load_keeping
from billing.commands.rerating import CorrectCalls, ReratingTotals, correct_calls
from billing.keeping.archive_format import check, event_rows
from billing.keeping.archived_events import Past
from billing.keeping.keeper import Keeper
from billing.log.store import Store
from billing.policies.closing import close_books
from billing.projections import projections
from billing.projections.runner import Runner
from tests.projections.sample import (
    INSTALLATION,
    ZONE,
    append,
    conflicting,
    received,
    stream,
    voided,
)

LATER = Envelope(recorded_at=datetime(2027, 2, 3, tzinfo=UTC), actor="system")
MONTH = "2026-10"
KEYS = "select notification_id, originator_id, originator_version from billing_events"
BALANCES = "select account, balance_micros, charged_micros, credited_micros, calls from balances"
SUMS = (
    BALANCES,
    "select * from daily_usage",
    "select * from usage_days",
    "select * from usage_areas",
    "select * from usage_hours",
    "select * from statements",
    "select * from account_months",
    "select * from balance_days",
    "select device_id, calls, suspended, last_cdr_at, extensions from devices",
)


def keeper_of(url: str, store: Store, folder: Path) -> Keeper:
    """Return the keeper of a test's database."""
    made = Keeper(url, store, folder / "archives", folder / "backups")
    store.past = lambda: Past(store, made.archives)
    return made


def runner_of(keeper: Keeper) -> Runner:
    """Return a runner with all projections, and with the archives."""
    return Runner(keeper.url, keeper.store, projections(ZONE))


def install(keeper: Keeper, calls: int = 60) -> None:
    """Add calls from the end of October on, every 12 hours: some not rated, void, in conflict."""
    append(keeper.store, INSTALLATION)
    events = []
    for number in range(calls):
        event = received(
            number * 12, 1_000_000 + number, user=number % 3 == 0, suspended=number % 7 == 6
        )
        events.append((stream(event), event))
        if number % 7 == 6 and stream(event).startswith(f"call:{MONTH}"):  # else it stays
            events.append((stream(event), voided(event)))
        if number % 11 == 5:
            events.append((stream(event), conflicting(event)))
        if number % 13 == 8:
            events.append((stream(event), voided(event)))
    for begin in range(0, len(events), 9):  # seals that cover two months and other streams
        append(keeper.store, events[begin : begin + 9])
    catch_up(keeper)
    close_books_until(keeper, LATER.recorded_at)


def close_books_until(keeper: Keeper, now: datetime) -> None:
    """Close every month that has ended, and the statements of its accounts."""
    with psycopg.connect(keeper.url, autocommit=True) as connection:
        while close_books(connection, keeper.store, now):
            catch_up(keeper)


def write_off_suspended(keeper: Keeper, month: str, envelope: Envelope) -> None:
    """Write off the suspended calls of a month ("": of all), which keep it from being archived."""
    suspended = "select call_id from call_list where status = 'suspended'"
    with psycopg.connect(keeper.url) as connection:
        streams = [f"call:{call_id}" for (call_id,) in connection.execute(suspended).fetchall()]
    command = CorrectCalls(
        kind="write_off",
        streams=[each for each in streams if each.startswith(f"call:{month}")],
        envelope=msgspec.structs.replace(envelope, request_id="off"),
        note="Nobody pays them",
    )
    correct_calls(keeper.store, Catalogue(), command, ReratingTotals.of())
    catch_up(keeper)


def catch_up(keeper: Keeper) -> None:
    """Bring every read model up to date."""
    runner = runner_of(keeper)
    runner.catch_up()
    runner.close()


def rebuild(keeper: Keeper, *names: str) -> None:
    """Rebuild read models."""
    runner = runner_of(keeper)
    for name in names:
        runner.rebuild(name)
    runner.catch_up()
    runner.close()


def rows(url: str, *statements: str) -> dict[str, list[Any]]:
    """Return the sorted rows of some queries."""
    with psycopg.connect(url) as connection:
        return {
            each: sorted(connection.execute(each.encode()).fetchall(), key=str)
            for each in statements
        }


def sums(url: str) -> dict[str, list[Any]]:
    """Return every sum of the read models."""
    return rows(url, *SUMS)


def listed(url: str) -> list[Any]:
    """Return the call list."""
    return rows(url, "select * from call_list")["select * from call_list"]


def keys_of(keeper: Keeper) -> set[tuple[int, str, int]]:
    """Return the keys of all events: in the log, and in its complete archives."""
    with psycopg.connect(keeper.url) as connection:
        found = set(connection.execute(KEYS).fetchall())
    for part in load_keeping(keeper.store).parts:
        path = keeper.archives / part.file
        check(path, ("archive",), part.sha256)
        found |= {row[:3] for row in event_rows(path)}
    return found


@contextmanager
def no_room(size_bytes: int = 1_000) -> Iterator[None]:
    """Let no file of this process grow; those of the database belong to another process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

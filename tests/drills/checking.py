"""Compares what was acknowledged with the log and every read model, to the call and the micro-unit.

What a call costs is known from what was sent, so the sums are not compared with themselves only.
"""

import subprocess
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec
import psycopg

from billing.keeping.archive_format import event_rows
from billing.keeping.archived_events import archived_parts, open_store, split_missing
from billing.projections.balances import unpack_positions
from billing.queries.replay import replay
from tests.drills.home import BILLING, EXTENSION, USER, Home
from tests.drills.load import Call

COMPANY = "company:acme"
RECEIVED = """
select notification_id, originator_id from billing_events
where originator_id like 'call:%' and originator_version = 1"""
# Of each: how many calls, and the price of all of them.
SUMS = {
    "daily_usage": "select sum(calls), sum(amount_micros) from daily_usage",
    "usage_days of devices": """
     select sum(calls), sum(amount_micros) from usage_days where kind = 'device'""",
    "usage_days of companies": """
     select sum(calls), sum(amount_micros) from usage_days where kind = 'company'""",
    "usage_hours of companies": f"""
     select sum(calls), sum(amount_micros) from usage_hours where account = '{COMPANY}'""",
    "usage_areas of companies": f"""
     select sum(calls), sum(amount_micros) from usage_areas where account = '{COMPANY}'""",
    "balances": "select sum(calls), sum(charged_micros) from balances",
    "balance_days": "select sum(calls), sum(charged_micros) from balance_days",
    "account_months": """
     select sum(calls), -sum(amount_micros) from account_months where kind = 'charge'""",
    "account_charges": """
     select sum(length(positions) / 8), sum(charged_micros) from account_charges""",
}
OF_USER = {
    "daily_usage of users": """
     select sum(calls), sum(amount_micros) from daily_usage where user_account_id <> ''""",
    "the user's balance": f"""
     select sum(calls), sum(charged_micros) from balances where account = '{USER}'""",
}
RECORDS = {
    "devices": "select sum(calls) from devices",
    "device_hours": "select sum(records) from device_hours",
}
NOTHING = {
    "events set aside": "select count(*) from set_aside",
    "suspended calls": "select count(*) from call_list where status = 'suspended'",
    "calls in conflict": "select count(*) from call_list where conflicts > 0",
    "balances that are not credited - charged": """
     select count(*) from balances where balance_micros <> credited_micros - charged_micros""",
    "statements of an account and month beyond one": """
     select count(*) - count(distinct (account, month)) from statements""",
}


class Findings(msgspec.Struct, frozen=True):
    """What a comparison found."""

    lost: frozenset[str]  # acknowledged keys that the log or a list lacks
    doubled: frozenset[str]  # keys that are there more than once
    faults: tuple[str, ...]  # sums that differ, seals that don't fit


def check(home: Home, sent: Mapping[str, Call], acknowledged: Collection[str]) -> Findings:
    """Compare. All that was sent must have been acknowledged, and the read models caught up."""
    faults = [f"sent and not in the log: {key}" for key in sent.keys() - set(acknowledged)]
    with home.connect() as connection:
        live, archived = _received(connection, home, faults)
        in_log = Counter(_key(stream) for stream in {**archived, **live}.values())
        of_list = connection.execute("select call_id from call_list").fetchall()
        listed = Counter(_key(call_id) for (call_id,) in of_list)
        charged = _charged(connection)
        in_live = {_key(stream) for stream in live.values()}
        faults += [f"not in the list: {key}" for key in in_live - listed.keys()]
        faults += [f"in the list, not in the log: {key}" for key in listed.keys() - in_live]
        faults += [f"in the log, never sent: {key}" for key in in_log.keys() - sent.keys()]
        if charged != set(live) | set(archived):
            faults.append("account_charges has not the positions of the log")
        calls = [sent[key] for key in in_log.keys() & sent.keys()]
        faults += _sums(connection, calls)
        for (account,) in connection.execute("select account from balances").fetchall():
            faults += _replayed(home, account)
    faults += _verified(home)
    missing = in_live - listed.keys()
    return Findings(
        lost=frozenset(acknowledged) - in_log.keys() | (missing & frozenset(acknowledged)),
        doubled=frozenset(k for counted in (in_log, listed) for k, n in counted.items() if n > 1),
        faults=tuple(faults),
    )


def _key(stream: str) -> str:
    return stream.rpartition(":")[2]


def _received(
    connection: psycopg.Connection, home: Home, faults: list[str]
) -> tuple[dict[int, str], dict[int, str]]:
    """The streams of calls by the position of their record: in the database, and in archives."""
    live = dict[int, str](connection.execute(RECEIVED).fetchall())
    folder = home.folder / "archives"
    whole, missing = split_missing(archived_parts(connection), folder)
    faults.extend(missing)
    archived = {
        position: stream
        for part in whole
        for position, stream, version, *_ in event_rows(folder / part.file)
        if version == 1
    }
    return live, archived


def _charged(connection: psycopg.Connection) -> set[int]:
    rows = connection.execute("select positions from account_charges").fetchall()
    return {position for (packed,) in rows for position in unpack_positions(packed)}


def _sums(connection: psycopg.Connection, calls: Collection[Call]) -> list[str]:
    """Where a read model has another count or sum than what was sent."""
    of_user = [call for call in calls if call.caller == EXTENSION]
    wanted: list[tuple[Mapping[str, str], tuple[Any, ...]]] = [
        (SUMS, _total(calls)),
        (OF_USER, _total(of_user)),
        (RECORDS, (len(calls),)),
        (NOTHING, (0,)),
    ]
    found = []
    for statements, right in wanted:
        for name, statement in statements.items():
            (row,) = connection.execute(statement.encode()).fetchall()
            if tuple(int(each or 0) for each in row) != right:
                found.append(f"{name}: {row}, not {right}")
    return found


def _total(calls: Iterable[Call]) -> tuple[int, int]:
    micros = [call.micros for call in calls]
    return len(micros), sum(micros)


def _replayed(home: Home, account: str) -> list[str]:
    """Whether the events of an account come to its balance."""
    store = open_store(home.url, home.folder / "archives")
    with home.connect() as connection:
        *_, progress = replay(connection, store, account)
    store.close()
    return [] if progress.equal else [f"{account}: its events come to {progress.balance_micros}"]


def _verified(home: Home) -> list[str]:
    """What `billing verify` says against the log."""
    done = subprocess.run(  # noqa: S603 -- ourselves
        [*BILLING, "verify"],
        env=home.environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return [] if done.returncode == 0 else [f"verify: {done.stdout}{done.stderr}"]

"""The history of one account: its own events and those of its calls, in order, with the balance.

Read models say where in the log the charges are and what the account held at its own events
(projections/balances.py); the events themselves are read from the log, a page at a time.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import tuple_row

from billing.aggregates.posting import postings_of
from billing.log.store import Recorded, Store
from billing.projections.balances import unpack_positions
from billing.values import Refused

KINDS = ("", "money", "calls", "state")
MONEY = ("AccountRecharged", "RechargeReversed", "AccountAdjusted", "StatementClosed")


class Entry(msgspec.Struct, frozen=True):
    """An event, what it moved on the account and what the account held then, in micro-units."""

    recorded: Recorded
    amount_micros: int
    balance_micros: int


class Start(msgspec.Struct, frozen=True):
    """Where a page begins: beneath a position, and what the account held until there."""

    below: int
    balance_micros: int


class HistoryPage(msgspec.Struct, frozen=True):
    """Newest first; `older` is where the next page goes on."""

    entries: list[Entry]
    older: Start | None = None


class Moment(msgspec.Struct, frozen=True):
    """What an account held at a moment, and its own events until then."""

    balance_micros: int
    events: list[Recorded]


OWN = """
select notification_id from billing_events where originator_id = %(account)s
and notification_id < %(below)s order by originator_version desc limit %(most)s"""
# The stretch that `below` lies in, and those before it.
CHARGES = """
select positions from account_charges where account = %(account)s and last_position < coalesce(
  (select min(last_position) + 1 from account_charges
   where account = %(account)s and last_position >= %(below)s), 9223372036854775807)
order by last_position desc limit %(most)s"""
BALANCE = "select balance_micros from balances where account = %s"
TOP = 2**62
MARK = """
select position, balance_micros from account_marks
where account = %s and recorded_at <= %s order by position desc limit 1"""
STRETCHES = """
select positions, charged_micros, last_recorded_at from account_charges
where account = %s and last_position > %s and first_recorded_at <= %s"""


def read_history(
    connection: Connection[Any],
    store: Store,
    account: str,
    *,
    kind: str = "",
    start: Start | None = None,
    size: int,
) -> HistoryPage:
    """One page of an account's events. Blocks."""
    if kind not in KINDS:
        raise Refused("The filter %(name)s can't be %(value)s.", name="kind", value=kind)
    start = start or Start(TOP, _balance(connection, account))
    entries: list[Entry] = []
    while True:
        found, more = _walk(connection, store, account, start, size)
        entries += [entry for entry in found if _is_of(entry, kind)]
        if found:
            start = _before(found[-1])
        if not more or len(entries) >= size:
            break
    if len(entries) > size:
        return HistoryPage(entries[:size], _before(entries[size - 1]))
    return HistoryPage(entries, start if more else None)


def _before(entry: Entry) -> Start:
    return Start(entry.recorded.position, entry.balance_micros - entry.amount_micros)


def _walk(
    connection: Connection[Any], store: Store, account: str, start: Start, size: int
) -> tuple[list[Entry], bool]:
    """Some more events going back, with balances; and whether there are others."""
    values = {"account": account, "below": start.below, "most": size + 1}
    with connection.cursor(row_factory=tuple_row) as cursor:
        own = [row[0] for row in cursor.execute(OWN, values).fetchall()]
        stretches = cursor.execute(CHARGES, values).fetchall()
    charges = [
        position
        for (packed,) in stretches
        for position in reversed(unpack_positions(packed))
        if position < start.below
    ]
    positions = sorted({*own, *charges[: size + 1]}, reverse=True)
    entries, balance = [], start.balance_micros
    for recorded in reversed(store.at(positions[:size])):
        amount = moved_on(account, recorded)
        entries.append(Entry(recorded, amount, balance))
        balance -= amount
    return entries, len(positions) > size


def moved_on(account: str, recorded: Recorded) -> int:
    """What an event moved on one wallet, in micro-units."""
    return sum(
        posting.amount_micros
        for posting in postings_of(recorded.stream, recorded.event)
        if posting.account == account
    )


def _is_of(entry: Entry, kind: str) -> bool:
    if not kind:
        return True
    if entry.recorded.stream.startswith("call:"):
        return kind == "calls"
    is_money = entry.recorded.topic.partition(".")[0] in MONEY
    return kind == ("money" if is_money else "state")


def _balance(connection: Connection[Any], account: str) -> int:
    row = connection.execute(BALANCE, (account,)).fetchone()
    return row[0] if row else 0


def read_moment(connection: Connection[Any], store: Store, account: str, at: datetime) -> Moment:
    """The account as it stood at a moment. Blocks."""
    events = [each for each in store.load(account) if each.envelope.recorded_at <= at]
    row = connection.execute(MARK, (account, at)).fetchone()
    position, balance = row or (0, 0)
    partial: list[int] = []
    for packed, charged, last in connection.execute(STRETCHES, (account, position, at)).fetchall():
        positions = unpack_positions(packed)
        if last <= at and positions[0] > position:
            balance -= charged
        else:
            partial += [each for each in positions if each > position]
    for chunk in _chunks(sorted(partial)):
        balance += sum(
            moved_on(account, each) for each in store.at(chunk) if each.envelope.recorded_at <= at
        )
    return Moment(balance, events)


def _chunks(positions: Sequence[int]) -> list[Sequence[int]]:
    return [positions[at : at + 5_000] for at in range(0, len(positions), 5_000)]

"""The history of one account: its own events and those of its calls, with the balance after each.

Read models store the log positions of charges and the balance at the account's own events
(projections/balances.py). The events themselves are read from the log, one page at a time.
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
MONEY = (
    "AccountRecharged",
    "RechargeReversed",
    "AccountAdjusted",
    "StatementRounded",
    "StatementClosed",
)


class Entry(msgspec.Struct, frozen=True):
    """An event, the amount it moved on the account, and the balance after it, in micro-units."""

    recorded: Recorded
    amount_micros: int
    balance_micros: int


class Start(msgspec.Struct, frozen=True):
    """Where a page begins: below a position, with the balance after all earlier events."""

    below: int
    balance_micros: int


class HistoryPage(msgspec.Struct, frozen=True):
    """A page of events, newest first; `older` is the start of the next page."""

    entries: list[Entry]
    older: Start | None = None


class Moment(msgspec.Struct, frozen=True):
    """The balance of an account at a moment, and its own events until then."""

    balance_micros: int
    events: list[Recorded]


OWN = """
select notification_id from billing_events where originator_id = %(account)s
and notification_id < %(below)s order by originator_version desc limit %(most)s"""
# The range of positions that contains `below`, and the ranges before it.
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
RANGES = """
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
    """Return one page of an account's events. Blocks. Refused for an unknown `kind`."""
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
    """Return the next older events with balances, and whether there are more."""
    values = {"account": account, "below": start.below, "most": size + 1}
    with connection.cursor(row_factory=tuple_row) as cursor:
        own = [row[0] for row in cursor.execute(OWN, values).fetchall()]
        ranges = cursor.execute(CHARGES, values).fetchall()
    charges = [
        position
        for (packed,) in ranges
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
    """Return the amount that an event moved on one wallet, in micro-units."""
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
    """Return the balance and the own events of an account at a moment. Blocks."""
    events = [each for each in store.load(account) if each.envelope.recorded_at <= at]
    row = connection.execute(MARK, (account, at)).fetchone()
    position, balance = row or (0, 0)
    partial: list[int] = []
    for packed, charged, last in connection.execute(RANGES, (account, position, at)).fetchall():
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

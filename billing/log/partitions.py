"""Which months of calls have a partition of their own, and how one is made.

A month gets its partition when its date is plausible: within the keeping time and a day ahead of
the moment its first call was recorded. Calls of other months share one partition, so a
switch with a wrong clock can't make a query touch a thousand partitions.
"""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from psycopg import Cursor
from psycopg.sql import SQL, Identifier, Literal

from billing.aggregates.keeping import MOST_MONTHS
from billing.periods import month_after, months_before

CREATE = "create table {name} (like {parent} including all)"
MOVE = """
with moved as (delete from {other} where {key} >= {begin} and {key} < {end} returning *)
insert into {name} select * from moved"""
ATTACH = "alter table {parent} attach partition {name} for values from ({begin}) to ({end})"

DETACH = "alter table {parent} detach partition {name}"
# Through the parent: what a partition of the default partition admits is known to be out of date
# within the transaction that detaches another one.
TAKE_OVER = "insert into {parent} select * from {name}"
DROP = "drop table {name}"


class Dates(msgspec.Struct, frozen=True):
    """Which months are plausible for the calls of one append."""

    recorded_at: datetime | None  # None: nothing is appended
    history_from: str = ""  # the month "2024-01" from which older calls are loaded on purpose

    def admit(self, month: str, keeping_months: int) -> bool:
        """Whether a month "2026-11" gets a partition."""
        if self.recorded_at is None:
            return False
        first = months_before(self.recorded_at, min(max(keeping_months, 0), MOST_MONTHS))
        last = (self.recorded_at + timedelta(days=1)).strftime("%Y-%m")
        return min(first, self.history_from or first) <= month <= last


def partition_name(month: str) -> str:
    """The partition of the events of the calls of a month "2026-11"."""
    return f"billing_events_{month.replace('-', '_')}"


def create_partition(cursor: Cursor[Any], month: str) -> None:
    """Give the events of the calls of a month their partition, with those that came before it."""
    begin = f"call:{month}"
    _create(
        cursor,
        ("billing_events", "billing_events_other", "originator_id"),
        month,
        begin,
        begin + ";",
    )


def create_list_partition(cursor: Cursor[Any], month: str) -> None:
    """Give a month of the call list its partition. Readers of the list are not shut out."""
    begin, end = (f"{each}-01 00:00:00+00" for each in (month, month_after(month)))
    _create(cursor, ("call_list", "call_list_other", "started_at"), month, begin, end)


def _create(
    cursor: Cursor[Any], table: tuple[str, str, str], month: str, begin: str, end: str
) -> None:
    parent, other, key = table
    values = {
        "parent": Identifier(parent),
        "other": Identifier(other),
        "key": Identifier(key),
        "name": Identifier(f"{parent}_{month.replace('-', '_')}"),
        "begin": Literal(begin),
        "end": Literal(end),
    }
    for statement in (CREATE, MOVE, ATTACH):
        cursor.execute(SQL(statement).format(**values))


def gather(cursor: Cursor[Any], month: str) -> None:
    """Move the events and the listed calls of a month to those of implausible dates.

    Their partitions are dropped. Call it with the lock of appends, and with both tables locked.
    """
    for parent in ("billing_events", "call_list"):
        name = f"{parent}_{month.replace('-', '_')}"
        cursor.execute("select to_regclass(%s) is not null", (name,))
        if cursor.fetchall() == [(True,)]:
            names = {"parent": Identifier(parent), "name": Identifier(name)}
            for statement in (DETACH, TAKE_OVER, DROP):
                cursor.execute(SQL(statement).format(**names))

"""Months of calls: which are in the database, which are over, which are kept too long."""

import re
from datetime import datetime

import psycopg

from billing.log.sealing import partition_name
from billing.values import Refused

MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
PARTITIONS = """
select relname from pg_inherits join pg_class as child on child.oid = inhrelid
where inhparent = 'billing_events'::regclass
 and relname ~ '^billing_events_[0-9]{4}_[0-9]{2}$' order by relname"""


def read_month(text: str) -> str:
    """A month as "2026-03". Refused otherwise."""
    if not MONTH.fullmatch(text):
        raise Refused("%(text)s is not a month.", text=text)
    return text


def months_before(now: datetime, count: int) -> str:
    """The month `count` months before that of `now`."""
    months = now.year * 12 + now.month - 1 - count
    return f"{months // 12:04}-{months % 12 + 1:02}"


def is_over(month: str, now: datetime) -> bool:
    """Whether a month may be archived at all: the last one and this one still get calls."""
    return read_month(month) < months_before(now, 1)


def kept_months(connection: psycopg.Connection) -> list[str]:
    """The months of which calls are in the database, oldest first."""
    found = connection.execute(PARTITIONS).fetchall()
    return [name.removeprefix("billing_events_").replace("_", "-") for (name,) in found]


def partition_exists(connection: psycopg.Connection, month: str) -> bool:
    """Whether calls of a month are in the database."""
    row = connection.execute("select to_regclass(%s)", (partition_name(month),)).fetchone()
    return bool(row and row[0])


def due_months(connection: psycopg.Connection, months: int, now: datetime) -> list[str]:
    """The months in the database that ended more than `months` months ago."""
    return [month for month in kept_months(connection) if month < months_before(now, months)]


def months_between(begin: datetime, end: datetime) -> list[str]:
    """The months of UTC from `begin` to before `end`."""
    first = begin.year * 12 + begin.month - 1
    last = end.year * 12 + end.month - 1
    return [f"{each // 12:04}-{each % 12 + 1:02}" for each in range(first, last + 1)]

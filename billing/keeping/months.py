"""Months of calls: which are in the database, which are over, which are due for archiving."""

from datetime import datetime

import psycopg

from billing.log.partitions import partition_name
from billing.periods import months_before, read_month

PARTITIONS = """
select relname from pg_inherits join pg_class as child on child.oid = inhrelid
where inhparent = 'billing_events'::regclass
 and relname ~ '^billing_events_[0-9]{4}_[0-9]{2}$' order by relname"""


def is_over(month: str, now: datetime) -> bool:
    """Return whether a month may be archived: not the present or the previous one."""
    return read_month(month) < months_before(now, 1)


def kept_months(connection: psycopg.Connection) -> list[str]:
    """Return the months with a partition in the database, oldest first."""
    found = connection.execute(PARTITIONS).fetchall()
    return [name.removeprefix("billing_events_").replace("_", "-") for (name,) in found]


def partition_exists(connection: psycopg.Connection, month: str) -> bool:
    """Return whether a month has a partition in the database."""
    row = connection.execute("select to_regclass(%s)", (partition_name(month),)).fetchone()
    return bool(row and row[0])


def due_months(connection: psycopg.Connection, months: int, now: datetime) -> list[str]:
    """Return the months in the database that ended more than `months` months ago."""
    return [month for month in kept_months(connection) if month < months_before(now, months)]

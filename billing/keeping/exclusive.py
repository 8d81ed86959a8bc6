"""One operation of keeping at a time, started by the command line, a page or the nightly job.

The lock belongs to a database connection, so it ends with the process, however that ends. Drops are
done on the same connection: without the lock nothing can be dropped.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from billing.values import Refused

LOCK = 0x6B6F6E65
LOOK_SECONDS = 0.1
NAME = "keeping: "
TRY = "select pg_try_advisory_lock(%s)"
HOLDER = """
select application_name from pg_locks join pg_stat_activity using (pid)
where locktype = 'advisory' and granted and classid = 0 and objid = %s and objsubid = 1
 and database = (select oid from pg_database where datname = current_database())"""


class Busy(Refused):
    """Another operation is running; nothing was done."""


@contextmanager
def exclusive(url: str, operation: str, wait_seconds: float) -> Iterator[psycopg.Connection]:
    """Hold the lock during an operation, and yield its connection. Busy after `wait_seconds`."""
    name = NAME + operation
    with psycopg.connect(url, autocommit=True, application_name=name) as connection:
        end = time.monotonic() + wait_seconds
        while not _has_taken(connection):
            if time.monotonic() >= end:
                raise Busy(
                    "Another keeping operation is running (%(operation)s); try again when it has "
                    "ended.",
                    operation=_running(connection),
                )
            time.sleep(LOOK_SECONDS)
        yield connection


def _has_taken(connection: psycopg.Connection) -> bool:
    ((taken,),) = connection.execute(TRY, (LOCK,)).fetchall()
    return bool(taken)


def _running(connection: psycopg.Connection) -> str:
    """Return the name of the operation that holds the lock; "?" if it has just ended."""
    row = connection.execute(HOLDER, (LOCK,)).fetchone()
    return str(row[0]).removeprefix(NAME) if row else "?"

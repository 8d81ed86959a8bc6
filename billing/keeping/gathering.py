"""Gathers months that no call can be of into the partition of implausible dates.

Version 0.1 gave every month of calls a partition, whatever its date: a switch with a wrong clock
made a thousand, and a query needs a lock on each. They lose theirs, one month a transaction, which
shuts readers and appends out for the move of one small month. Seals stay as they are, because they
know an event by its stream and not by its table.
"""

import logging
import time
from collections.abc import Container, Sequence
from datetime import datetime

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Identifier, Literal

from billing.aggregates.keeping import MOST_MONTHS
from billing.commands.keeping import load_keeping
from billing.keeping.exclusive import exclusive
from billing.keeping.keeper import Keeper
from billing.keeping.months import kept_months
from billing.log import positions
from billing.log.partitions import Dates, gather, partition_name
from billing.log.store import LOCK

LOCK_MS = 500  # how long a move waits for a lock; readers and appends wait behind it
ATTEMPTS = 10  # moves that got no lock; then the others wait for the next minute
PAUSE_SECONDS = 0.5
MOST_EVENTS = 20_000  # of a month that is moved; a larger one keeps its partition
# Nothing is reported to a sender, so the commit waits for this server only: readers are shut out
# until it is done, and a standby may be away for long.
LIMITS = f"set local lock_timeout = {LOCK_MS}; set local synchronous_commit = local"
# Only the two tables and not their partitions, of which there may be too many to lock.
SHUT = "lock table only billing_events, only call_list in access exclusive mode"
COUNT = "select count(*) from (select from {} limit {}) as part"

logger = logging.getLogger("billing.keeping")


def gather_months(keeper: Keeper, now: datetime) -> int:
    """Gather the stray months; return how many were moved. The rest waits for the next call.

    Raises Busy, with nothing done, while another operation of keeping runs.
    """
    with psycopg.connect(keeper.url, autocommit=True) as connection:
        if not _stray(connection, keeper, now):
            return 0
    with exclusive(keeper.url, "gather", keeper.wait_seconds) as connection:
        moved = _move(connection, _stray(connection, keeper, now))
    if moved:
        logger.info("%s months of implausible dates share one partition now", moved)
    return moved


def stray_months(
    months: Sequence[str], archived: Container[str], now: datetime, keeping_months: int
) -> list[str]:
    """Return the months that lose their partition, of those that have one (oldest first).

    These are months to come, and the oldest past the keeping time where more than MOST_MONTHS have
    a partition; fewer are archived at night. A month with an archive keeps its partition.
    """
    dates, this_month = Dates(now), now.strftime("%Y-%m")
    strange = [
        month
        for month in months
        if month not in archived and not dates.admit(month, keeping_months)
    ]
    past = [month for month in strange if month <= this_month]
    excess = sum(month <= this_month for month in months) - MOST_MONTHS
    return past[: max(excess, 0)] + strange[len(past) :]


def _stray(connection: Connection, keeper: Keeper, now: datetime) -> list[str]:
    state = load_keeping(keeper.store)
    archived = {part.month for part in state.parts}
    return stray_months(kept_months(connection), archived, now, state.months)


def _move(connection: Connection, months: Sequence[str]) -> int:
    moved = failed = 0
    for month in months:
        try:
            moved += _gather(connection, month)
        except psycopg.errors.LockNotAvailable:  # somebody reads; nothing was changed
            failed += 1
            if failed == ATTEMPTS:
                break
            time.sleep(PAUSE_SECONDS)
        except psycopg.errors.DependentObjectsStillExist as error:
            logger.warning("the partition of %s stays: %s", month, error)
    return moved


def _gather(connection: Connection, month: str) -> bool:
    """Gather one month; return False if it is too large."""
    name = Identifier(partition_name(month))
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(SQL(COUNT).format(name, Literal(MOST_EVENTS + 1)))
        ((events,),) = cursor.fetchall()
        if events > MOST_EVENTS:
            return False
        cursor.execute(LIMITS)
        # In the order of all others: the lock of appends, the position of the call list, tables.
        cursor.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
        positions.hold(cursor, "calls")
        cursor.execute(SHUT)
        gather(cursor, month)
        return True

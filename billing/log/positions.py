"""The head of the log and the positions of read models; all queries on `checkpoints`.

A checkpoint is the position up to which a read model is built, or up to which a policy that follows
the log has read ("policy:…"). SQL expressions have names in capitals or ending in `_sql`; they have
no parameters, so any query can contain them.
"""

import asyncio
import math
import threading
import time
from collections.abc import Sequence
from typing import Any, TypeAlias

from psycopg import AsyncConnection, Connection, Cursor

Executor: TypeAlias = Connection[Any] | Cursor[Any]

LOOK_SECONDS = 0.02
REBUILT_BEHIND = 100_000  # events; pages don't wait for a read model this far behind the others

HEAD = "(select coalesce(max(last_position), 0) from seals)"  # the last sealed position
IS_READ_MODEL = "left(name, 7) <> 'policy:'"
EXTENT = "select coalesce(max(last_position), 0), coalesce(sum(events), 0)::bigint from seals"
IS_SHOWN = f"""
select not exists (select from checkpoints where position < %(position)s
 and case when %(names)s::text[] = '{{}}' then {IS_READ_MODEL} else name = any(%(names)s) end)"""
IS_SHOWN_BUT_REBUILT = f"""
select not exists (select from checkpoints where position < %s and {IS_READ_MODEL}
 and position > (select max(position) - {REBUILT_BEHIND} from checkpoints))"""
LAGS = f"""
select name, greatest(0, {HEAD} - position) from checkpoints where {IS_READ_MODEL} order by name"""
LAGGING = "select name from checkpoints where position < %s order by position limit 1"

REGISTER = "insert into checkpoints (name, position) values (%s, {at}) on conflict do nothing"
POSITIONS = "select position, name from checkpoints where name = any(%s) order by position, name"
HOLD = "select position from checkpoints where name = %s for update"
HOLD_FREE = "select position, name from checkpoints where name = any(%s) for update skip locked"
ADVANCE = "update checkpoints set position = %s where name = any(%s)"
MADE_IN = "select zone, position from checkpoints where name = %s"
REMEMBER_ZONE = "update checkpoints set zone = %s where name = %s"


def shown_sql(*names: str) -> str:
    """Return a SQL expression for the position that those read models (or all) have reached."""
    quoted = ", ".join(f"'{name}'" for name in names)
    which = f"name in ({quoted})" if names else IS_READ_MODEL
    return f"(select coalesce(min(position), 0) from checkpoints where {which})"


def head(connection: Executor) -> int:
    """Return the last position in the log."""
    ((position,),) = connection.execute(f"select {HEAD}").fetchall()
    return int(position)


def extent(connection: Executor) -> tuple[int, int]:
    """Return the last position in the log, and the number of events ever sealed."""
    ((position, events),) = connection.execute(EXTENT).fetchall()
    return position, events


def shown(connection: Executor, *names: str) -> int:
    """Return the position that those read models (all without names) have reached."""
    ((position,),) = connection.execute(f"select {shown_sql(*names)}").fetchall()
    return int(position)


async def shown_async(connection: AsyncConnection[Any], *names: str) -> int:
    """Return the same as `shown`, for pages."""
    cursor = await connection.execute(f"select {shown_sql(*names)}")
    ((position,),) = await cursor.fetchall()
    return int(position)


def is_shown(connection: Executor, position: int, *names: str) -> bool:
    """Whether those read models (all without names) have reached a position."""
    values = {"position": position, "names": list(names)}
    ((yes,),) = connection.execute(IS_SHOWN, values).fetchall()
    return bool(yes)


def wait_until_shown(
    connection: Executor,
    position: int,
    *names: str,
    patience_s: float = math.inf,
    stopping: threading.Event | None = None,
) -> bool:
    """Wait until `is_shown`; return False after `patience_s` or when `stopping` is set."""
    end = time.monotonic() + patience_s
    while not is_shown(connection, position, *names):
        if time.monotonic() > end or (stopping and stopping.is_set()):
            return False
        time.sleep(LOOK_SECONDS)
    return True


async def wait_until_shown_async(
    connection: AsyncConnection[Any], position: int, patience_s: float
) -> bool:
    """Wait for all read models except those being rebuilt; return False after `patience_s`."""
    end = time.monotonic() + patience_s
    while True:
        cursor = await connection.execute(IS_SHOWN_BUT_REBUILT, (position,))
        if await cursor.fetchone() == (True,):
            return True
        if time.monotonic() > end:
            return False
        await asyncio.sleep(LOOK_SECONDS)


async def lags(connection: AsyncConnection[Any]) -> dict[str, int]:
    """Return how many events each read model is behind the log."""
    return dict(await (await connection.execute(LAGS)).fetchall())


def lagging(connection: Executor, position: int) -> str:
    """Return the checkpoint that is furthest behind a position; "" if none is behind."""
    row = connection.execute(LAGGING, (position,)).fetchone()
    return row[0] if row else ""


def register(connection: Executor, name: str, *, at_head: bool = False) -> None:
    """Create a checkpoint at 0 or at the head of the log, unless it exists."""
    connection.execute(REGISTER.format(at=HEAD if at_head else "0"), (name,))


def positions(connection: Executor, names: Sequence[str]) -> list[tuple[int, str]]:
    """Return position and name of those checkpoints, the furthest behind first."""
    return connection.execute(POSITIONS, (list(names),)).fetchall()


def hold(connection: Executor, name: str) -> int:
    """Lock a checkpoint until the transaction ends; return its position."""
    ((position,),) = connection.execute(HOLD, (name,)).fetchall()
    return int(position)


def hold_free(connection: Executor, names: Sequence[str]) -> list[tuple[int, str]]:
    """Lock the checkpoints that no other process holds; return position and name of each."""
    return connection.execute(HOLD_FREE, (list(names),)).fetchall()


def advance(connection: Executor, names: Sequence[str], position: int) -> None:
    """Set the position of those checkpoints; 0 starts a rebuild."""
    connection.execute(ADVANCE, (position, list(names)))


def made_in(connection: Executor, name: str) -> tuple[str, int]:
    """Return the time zone of a read model's days ("" if it has none), and its position."""
    ((zone, position),) = connection.execute(MADE_IN, (name,)).fetchall()
    return zone, position


def remember_zone(connection: Executor, name: str, zone: str) -> None:
    """Store the time zone of a read model's days."""
    connection.execute(REMEMBER_ZONE, (zone, name))

"""How far the log goes and how far each read model shows it; every query on `checkpoints`.

A checkpoint is the position in the log up to which a read model was made, or up to which a policy
that follows the log by itself has read ("policy:…"). The names of expressions are in capitals or
end in `_sql`: they have no parameters and can stand in any query.
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
REBUILT_BEHIND = 100_000  # events: no page waits for a read model this far behind the others

HEAD = "(select coalesce(max(last_position), 0) from seals)"  # the last position that was sealed
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
    """An expression: how far those read models all show the log; without names, every one."""
    quoted = ", ".join(f"'{name}'" for name in names)
    which = f"name in ({quoted})" if names else IS_READ_MODEL
    return f"(select coalesce(min(position), 0) from checkpoints where {which})"


def head(connection: Executor) -> int:
    """The last position in the log."""
    ((position,),) = connection.execute(f"select {HEAD}").fetchall()
    return int(position)


def extent(connection: Executor) -> tuple[int, int]:
    """The last position in the log, and how many events were ever sealed."""
    ((position, events),) = connection.execute(EXTENT).fetchall()
    return position, events


def shown(connection: Executor, *names: str) -> int:
    """How far those read models all show the log; without names, every one."""
    ((position,),) = connection.execute(f"select {shown_sql(*names)}").fetchall()
    return int(position)


async def shown_async(connection: AsyncConnection[Any], *names: str) -> int:
    """The same for pages."""
    cursor = await connection.execute(f"select {shown_sql(*names)}")
    ((position,),) = await cursor.fetchall()
    return int(position)


def is_shown(connection: Executor, position: int, *names: str) -> bool:
    """Whether those read models show the log up to a position; without names, every one."""
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
    """Wait until `is_shown`; False if it was not after `patience_s` or when told to stop."""
    end = time.monotonic() + patience_s
    while not is_shown(connection, position, *names):
        if time.monotonic() > end or (stopping and stopping.is_set()):
            return False
        time.sleep(LOOK_SECONDS)
    return True


async def wait_until_shown_async(
    connection: AsyncConnection[Any], position: int, patience_s: float
) -> bool:
    """The same for pages, and for every read model but those that are being rebuilt."""
    end = time.monotonic() + patience_s
    while True:
        cursor = await connection.execute(IS_SHOWN_BUT_REBUILT, (position,))
        if await cursor.fetchone() == (True,):
            return True
        if time.monotonic() > end:
            return False
        await asyncio.sleep(LOOK_SECONDS)


async def lags(connection: AsyncConnection[Any]) -> dict[str, int]:
    """How many events each read model is behind the log."""
    return dict(await (await connection.execute(LAGS)).fetchall())


def lagging(connection: Executor, position: int) -> str:
    """The name of whatever is furthest behind a position; '' if nothing is."""
    row = connection.execute(LAGGING, (position,)).fetchone()
    return row[0] if row else ""


def register(connection: Executor, name: str, *, at_head: bool = False) -> None:
    """Begin a checkpoint at the first event or at the end of the log, if there is none yet."""
    connection.execute(REGISTER.format(at=HEAD if at_head else "0"), (name,))


def positions(connection: Executor, names: Sequence[str]) -> list[tuple[int, str]]:
    """The checkpoints of those names, the furthest behind first."""
    return connection.execute(POSITIONS, (list(names),)).fetchall()


def hold(connection: Executor, name: str) -> int:
    """Lock a checkpoint until the transaction ends; where it is."""
    ((position,),) = connection.execute(HOLD, (name,)).fetchall()
    return int(position)


def hold_free(connection: Executor, names: Sequence[str]) -> list[tuple[int, str]]:
    """Lock those that no other process holds; where each of them is."""
    return connection.execute(HOLD_FREE, (list(names),)).fetchall()


def advance(connection: Executor, names: Sequence[str], position: int) -> None:
    """Say that those were made up to a position; 0 begins a rebuild."""
    connection.execute(ADVANCE, (position, list(names)))


def made_in(connection: Executor, name: str) -> tuple[str, int]:
    """The time zone whose days a read model was made with ('' if none), and where it is."""
    ((zone, position),) = connection.execute(MADE_IN, (name,)).fetchall()
    return zone, position


def remember_zone(connection: Executor, name: str, zone: str) -> None:
    """Say with the days of which time zone a read model is made."""
    connection.execute(REMEMBER_ZONE, (zone, name))

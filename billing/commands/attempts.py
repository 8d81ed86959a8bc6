"""Limits for guessing passwords: leaky buckets, one per account and one per IP address.

They are in a table, so they outlive a restart and count for all processes together.
"""

from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import msgspec
from psycopg import AsyncConnection

LONGEST_WAIT = timedelta(minutes=15)  # until any bucket is empty; then it is forgotten
LEVEL = "greatest(0, a.level - extract(epoch from %(now)s - a.at)::float8 / %(every)s)"
# Written while the clock was wrong: nobody waits until that time comes.
CORRECT = "update attempts set at = %(now)s where bucket = %(bucket)s and at > %(now)s"
TAKE = f"""
insert into attempts as a (bucket, level, at) values (%(bucket)s, 1, %(now)s)
on conflict (bucket) do update set level = {LEVEL} + 1, at = %(now)s
where {LEVEL} + 1 <= %(burst)s + 1e-6"""
OVER = f"select ({LEVEL} + 1 - %(burst)s) * %(every)s from attempts a where bucket = %(bucket)s"
GIVE_BACK = "update attempts set level = greatest(0, level - 1) where bucket = %s"
FORGET = "delete from attempts where bucket = %s"
FORGET_OLD = "delete from attempts where at not between %s and %s"


class Throttle(msgspec.Struct, frozen=True):
    """A limit: `burst` attempts at once, then one per `every_seconds`."""

    name: str
    burst: int
    every_seconds: float

    async def wait_seconds(
        self, connection: AsyncConnection[Any], key: str, now: datetime | None = None
    ) -> int:
        """Count an attempt and return 0, or return the seconds to wait if it is over the limit."""
        values = {
            "bucket": f"{self.name}:{key}",
            "now": now or datetime.now(UTC),
            "burst": self.burst,
            "every": self.every_seconds,
        }
        await connection.execute(CORRECT, values)
        if (await connection.execute(TAKE, values)).rowcount:
            return 0
        row = await (await connection.execute(OVER, values)).fetchone()
        return max(1, ceil(round(row[0], 3))) if row else 1  # at least 1 despite rounding

    async def give_back(self, connection: AsyncConnection[Any], key: str) -> None:
        """Uncount one successful attempt; failures in a shared bucket still count."""
        await connection.execute(GIVE_BACK, (f"{self.name}:{key}",))

    async def forget(self, connection: AsyncConnection[Any], key: str) -> None:
        """Empty the bucket after a success."""
        await connection.execute(FORGET, (f"{self.name}:{key}",))


SWEEP = Throttle("sweep", burst=1, every_seconds=60)


async def forget_old(connection: AsyncConnection[Any], now: datetime | None = None) -> None:
    """Delete the buckets that are empty by now; once a minute, however often it is called.

    So no flood of IP addresses fills the table or removes one that must wait.
    """
    now = now or datetime.now(UTC)
    if await SWEEP.wait_seconds(connection, "", now):
        return
    await connection.execute(FORGET_OLD, (now - LONGEST_WAIT, now + LONGEST_WAIT))

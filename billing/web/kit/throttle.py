"""Slows down guessing: a leaking bucket for each account and each address, in the database.

A restart forgives nobody, and several processes count together.
"""

from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import msgspec
from psycopg import AsyncConnection

from billing.web.kit.i18n import ngettext

MINUTE = 60
KEPT = timedelta(days=1)  # longer than any bucket takes to leak
LEVEL = "greatest(0, a.level - extract(epoch from %(now)s - a.at)::float8 / %(every)s)"
TAKE = f"""
insert into attempts as a (bucket, level, at) values (%(bucket)s, 1, %(now)s)
on conflict (bucket) do update set level = {LEVEL} + 1, at = greatest(a.at, %(now)s)
where {LEVEL} + 1 <= %(burst)s + 1e-6"""
OVER = f"select ({LEVEL} + 1 - %(burst)s) * %(every)s from attempts a where bucket = %(bucket)s"
GIVE_BACK = "update attempts set level = greatest(0, level - 1) where bucket = %s"
FORGET = "delete from attempts where bucket = %s"
FORGET_OLD = "delete from attempts where at < %s"


class Throttle(msgspec.Struct, frozen=True):
    """`burst` attempts at once, then one every `every_seconds`."""

    name: str
    burst: int
    every_seconds: float

    async def wait_seconds(
        self, connection: AsyncConnection[Any], key: str, now: datetime | None = None
    ) -> int:
        """0 when an attempt is admitted (and counted), else how long to wait."""
        values = {
            "bucket": f"{self.name}:{key}",
            "now": now or datetime.now(UTC),
            "burst": self.burst,
            "every": self.every_seconds,
        }
        if (await connection.execute(TAKE, values)).rowcount:
            return 0
        row = await (await connection.execute(OVER, values)).fetchone()
        return max(1, ceil(round(row[0], 3))) if row else 1  # no matter how floats add up

    async def give_back(self, connection: AsyncConnection[Any], key: str) -> None:
        """Not count a success, where others share the bucket: it forgives no failure."""
        await connection.execute(GIVE_BACK, (f"{self.name}:{key}",))

    async def forget(self, connection: AsyncConnection[Any], key: str) -> None:
        """Start afresh, after a success."""
        await connection.execute(FORGET, (f"{self.name}:{key}",))


BY_ACCOUNT = Throttle("account", burst=5, every_seconds=60)
BY_ADDRESS = Throttle("address", burst=20, every_seconds=15)
BY_CODE = Throttle("code", burst=5, every_seconds=60)  # of the second step
# Of lines in the login log: whoever floods the door does not flood the log too.
NOTED = Throttle("noted", burst=1, every_seconds=60)  # attempts that came too early
BY_TOKEN = Throttle("token", burst=1, every_seconds=60)  # wrong API tokens


async def forget_old(connection: AsyncConnection[Any]) -> None:
    """Remove buckets that leaked empty long ago."""
    await connection.execute(FORGET_OLD, (datetime.now(UTC) - KEPT,))


def too_many(wait_seconds: int) -> str:
    """What is told to whom must wait."""
    if wait_seconds < MINUTE:
        text = ngettext(
            "Too many attempts. Try again in %(n)s second.",
            "Too many attempts. Try again in %(n)s seconds.",
            wait_seconds,
        )
        return text % {"n": wait_seconds}
    minutes = -(-wait_seconds // MINUTE)
    text = ngettext(
        "Too many attempts. Try again in %(n)s minute.",
        "Too many attempts. Try again in %(n)s minutes.",
        minutes,
    )
    return text % {"n": minutes}

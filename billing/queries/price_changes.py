"""The price changes of events: the first few of each, with the previous price."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

MOST = 3  # changes shown for one event


class PriceChange(msgspec.Struct, frozen=True, kw_only=True):
    """A price that was set, ended or removed, and the price that was valid before."""

    position: int
    target: str
    kind: str  # set, ended, removed
    name: str
    price: Decimal | None
    unit_s: int | None
    effective_from: datetime
    old_name: str | None
    old_price: Decimal | None
    old_unit: int | None


# The previous price, as known at the event: the latest version that begins at or before the same
# moment and was not removed.
CHANGES = f"""
select n.position, n.target, n.kind, n.name, n.price, n.unit_s, n.effective_from,
 b.name as old_name, b.price as old_price, b.unit_s as old_unit
from unnest(%s::bigint[]) asked (position)
cross join lateral (select * from prices where position = asked.position
  order by target, effective_from limit {MOST}) n
left join lateral (select name, price, unit_s, kind from prices b
  where b.group_id = n.group_id and b.target = n.target and b.position < n.position
   and b.effective_from <= n.effective_from and b.kind <> 'removed'
   and not exists (select from prices r where r.group_id = b.group_id and r.target = b.target
     and r.effective_from = b.effective_from and r.kind = 'removed'
     and r.position > b.position and r.position < n.position)
  order by b.effective_from desc, b.position desc limit 1) b on b.kind = 'set'
order by n.position, n.target, n.effective_from"""


async def changes_of(
    connection: AsyncConnection[Any], positions: Sequence[int]
) -> dict[int, list[PriceChange]]:
    """Return the first changes of each event, by the event's position."""
    found: dict[int, list[PriceChange]] = {}
    async with connection.cursor(row_factory=class_row(PriceChange)) as cursor:
        await cursor.execute(CHANGES, (list(positions),))
        for change in await cursor.fetchall():
            found.setdefault(change.position, []).append(change)
    return found

"""Pairs of records that devices in a cascade made of the same call."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.queries.paging import Order, Page, Place

KEY_TYPE = tuple[int]
MOST_OF_CALL = 50  # pairs on the page of one call


class PairRow(msgspec.Struct, frozen=True, kw_only=True):
    """Two records, how much they differ, and who parted them.

    Devices, callers and the number are empty if a record is archived.
    """

    position: int
    charged_id: str
    other_id: str
    charged_at: datetime
    other_at: datetime
    charged_device: str
    other_device: str
    charged_caller: str
    other_caller: str
    number: str
    apart_us: int
    longer_ms: int
    start_seconds: int | None  # the tolerances of the rule
    duration_seconds: int | None
    linked_at: datetime
    parted_at: datetime | None
    parted_by: str  # a name, or an actor
    reason: str
    closer: str  # a call

    @property
    def apart_seconds(self) -> Decimal:
        """The difference of the two starts."""
        return Decimal(self.apart_us) / 1_000_000

    @property
    def longer_seconds(self) -> Decimal:
        """The difference of the two durations."""
        return Decimal(self.longer_ms) / 1_000


STATES = {"": "true", "joined": "p.parted_at is null", "parted": "p.parted_at is not null"}
LIST = """
select p.position, p.charged_id, p.other_id, p.charged_at, p.other_at, p.apart_us, p.longer_ms,
 p.start_seconds, p.duration_seconds, p.linked_at, p.parted_at, p.reason, p.closer,
 coalesce(charged_device.name, charged.device_id, '') as charged_device,
 coalesce(other_device.name, other.device_id, '') as other_device,
 coalesce(charged.caller, '') as charged_caller, coalesce(other.caller, '') as other_caller,
 coalesce(charged.number, '') as number, coalesce(a.name, p.parted_by) as parted_by
from (select * from cascade_pairs as p where {where}) as p
left join call_list as charged
 on charged.started_at = p.charged_at and charged.call_id = p.charged_id
left join call_list as other on other.started_at = p.other_at and other.call_id = p.other_id
left join devices as charged_device on charged_device.device_id = charged.device_id
left join devices as other_device on other_device.device_id = other.device_id
left join administrators as a on 'administrator:' || a.administrator_id = p.parted_by
order by p.position {direction}"""
OF_CALL = "p.charged_id = %(call)s or p.other_id = %(call)s"
NEWEST_FIRST = Order({"p.position": "position"}, newest_first=True)


async def list_pairs(
    connection: AsyncConnection[Any], state: str, place: Place | None, size: int
) -> Page[PairRow]:
    """Return one page of the pairs in a state ("", joined, parted), newest first."""
    cut = NEWEST_FIRST.cut(place, size)
    where = f"{STATES[state]} {cut.beyond} {cut.sort} {cut.limit}"
    statement = LIST.format(where=where, direction=cut.direction)
    return await cut.fetch(connection, PairRow, statement, {})


async def pairs_of(connection: AsyncConnection[Any], call_id: str) -> list[PairRow]:
    """Return the latest pairs that a call is or was in, newest first."""
    where = f"{OF_CALL} order by p.position desc limit {MOST_OF_CALL}"
    statement = LIST.format(where=where, direction="desc")
    async with connection.cursor(row_factory=class_row(PairRow)) as cursor:
        await cursor.execute(statement, {"call": call_id})
        return await cursor.fetchall()

"""The pages of number attribution: the entries of the layers of the number plan."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from billing.queries.paging import Order, Page, Place, like

KEY_TYPE = tuple[str, str, bool, str, str]


class PlanFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries to list; an empty field does not filter."""

    text: str = ""  # first digits of a prefix, or part of an area
    layer: str = ""
    type: str = ""
    country: str = ""


class PlanRow(msgspec.Struct, frozen=True, kw_only=True):
    layer: str
    prefix: str
    country: str
    short: bool
    effective_from: datetime
    since: str  # `effective_from` with microseconds, for the key of a page
    area: str
    type: str
    min_len: int
    max_len: int
    recorded_at: datetime
    actor: str


LIST = """
select layer, prefix, country, short, effective_from,
 to_char(effective_from at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00' as since,
 area, type, min_len, max_len, recorded_at, actor from plan_entries"""
COUNT = "select count(*) from plan_entries"
BY_PREFIX = Order(
    {
        "prefix": "prefix",
        "country": "country",
        "short": "short",
        "effective_from": "since",
        "layer": "layer",
    }
)


def _where(wanted: PlanFilter) -> tuple[str, dict[str, Any]]:
    parts = ["true"]
    if wanted.text.isdigit():
        parts.append("starts_with(prefix, %(text)s)")
    elif wanted.text:
        parts.append("area ilike %(part)s")
    parts += [
        f"{name} = %({name})s" for name in ("layer", "type", "country") if getattr(wanted, name)
    ]
    values = {name: getattr(wanted, name) for name in ("text", "layer", "type", "country")}
    return " and ".join(parts), {**values, "part": like(wanted.text)}


async def list_entries(
    connection: AsyncConnection[Any], wanted: PlanFilter, place: Place | None, size: int
) -> Page[PlanRow]:
    """Return one page of the entries that pass the filter, by prefix."""
    where, values = _where(wanted)
    cut = BY_PREFIX.cut(place, size)
    statement = f"{LIST} where {where} {cut.beyond} {cut.sort} {cut.limit}"
    return await cut.fetch(connection, PlanRow, statement, values)


async def count_entries(connection: AsyncConnection[Any], wanted: PlanFilter) -> int:
    """Return how many entries pass the filter."""
    where, values = _where(wanted)
    cursor = await connection.execute(f"{COUNT} where {where}", values)
    row = await cursor.fetchone()
    return int(row[0]) if row else 0

"""The log of operations: each operation with the values before it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace
from psycopg import AsyncConnection

from billing.periods import Period
from billing.queries.names import stream_names
from billing.queries.paging import Order, Page, Place, like
from billing.queries.price_changes import PriceChange, changes_of
from billing.queries.reach import Reach

KEY_TYPE = tuple[int]


class OperationFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which operations to list; an empty field does not filter."""

    reach: Reach
    period: Period
    zone: ZoneInfo
    actor: str = ""
    kind: str = ""  # of the changed object
    text: str = ""  # part of the object's name or id


class OperationRow(msgspec.Struct, frozen=True, kw_only=True):
    position: int
    recorded_at: datetime
    actor: str
    address: str
    stream: str
    kind: str
    topic: str
    fields: dict[str, Any]
    before: dict[str, Any] | None  # the fields of the previous operation on the same object
    name: str  # of the object; its id if it has none
    currency: str  # of the amounts in `fields`
    token: str  # name of the API token that was used; "" for a person
    prices: list[PriceChange] = []  # the first prices that were set, ended or removed


LIST = """
select o.position, o.recorded_at, o.actor, o.address, o.stream, o.kind, o.topic, o.fields,
 (select p.fields from operations p where o.family <> '' and p.stream = o.stream
   and p.family = o.family and p.position < o.position order by p.position desc limit 1) as before,
 coalesce(a.name, d.name, g.name, w.name, split_part(o.stream, ':', 2)) as name,
 coalesce(a.currency, g.currency, '') as currency, coalesce(t.name, o.token_id) as token
from operations o
 left join accounts a on a.account = o.stream
 left join devices d on o.kind = 'device' and d.device_id = split_part(o.stream, ':', 2)
 left join rate_groups g on o.kind = 'rate-group' and g.group_id = split_part(o.stream, ':', 2)
 left join administrators w
  on o.kind = 'administrator' and w.administrator_id = split_part(o.stream, ':', 2)
 left join api_tokens t on t.token_id = o.token_id"""
OF_PRICES = {"RatesChanged", "RatesWithdrawn", "DeckImported", "DeckImportUndone"}
# Fields that hold an id, and what stands before it in the name of its stream.
NAMED = {
    "account": "",
    "companies": "company:",
    "company_id": "company:",
    "device_id": "device:",
    "group_id": "rate-group:",
    "token_id": "token:",
    "upper": "device:",
}
# Limited to operations on the accounts and devices of some companies.
WITHIN = """o.stream in (
  select account from accounts where company_id = any(%(companies)s)
  union all select 'device:' || device_id from devices where company_id = any(%(companies)s))"""
ACTORS = "select distinct o.actor from operations o where {within} order by 1 limit 500"
KINDS = "select distinct o.kind from operations o where {within} order by 1"
NEWEST_FIRST = Order({"o.position": "position"}, newest_first=True)


def _within(reach: Reach) -> str:
    return WITHIN if reach.limited else "true"


def _where(wanted: OperationFilter) -> tuple[str, dict[str, Any]]:
    begin, end = wanted.period.bounds(wanted.zone)
    values: dict[str, Any] = {"begin": begin, "end": end, "part": like(wanted.text)}
    values["companies"] = wanted.reach.within("")
    where = "where o.recorded_at >= %(begin)s and o.recorded_at < %(end)s"
    where += " and " + _within(wanted.reach)
    for field in ("actor", "kind"):
        if value := getattr(wanted, field):
            where += f" and o.{field} = %({field})s"
            values[field] = value
    if wanted.text:
        where += (
            " and (lower(coalesce(a.name, d.name, g.name, w.name, '')) like lower(%(part)s)"
            " or o.stream like %(part)s or lower(o.fields::text) like lower(%(part)s))"
        )
    return where, values


async def list_operations(
    connection: AsyncConnection[Any], wanted: OperationFilter, place: Place | None, size: int
) -> Page[OperationRow]:
    """Return one page of the operations that pass the filter, newest first."""
    where, values = _where(wanted)
    cut = NEWEST_FIRST.cut(place, size)
    statement = f"{LIST} {where} {cut.beyond} {cut.sort} {cut.limit}"
    found = await cut.fetch(connection, OperationRow, statement, values)
    await _name_values(connection, found.rows)
    return replace(found, rows=await _tell_prices(connection, found.rows))


async def _name_values(connection: AsyncConnection[Any], rows: list[OperationRow]) -> None:
    """Replace the ids in the fields by names."""
    told = [said for row in rows for said in (row.fields, row.before) if said]
    streams = {stream for said in told for stream in _streams_in(said)}
    names = await stream_names(connection, streams) if streams else {}
    for said in told:
        for field in said.keys() & NAMED:
            value, kind = said[field], NAMED[field]
            if isinstance(value, list):
                said[field] = [names.get(f"{kind}{each}", each) for each in value]
            elif value:
                said[field] = names.get(f"{kind}{value}", value)


def _streams_in(said: dict[str, Any]) -> Iterator[str]:
    for field in said.keys() & NAMED:
        value = said[field]
        for each in value if isinstance(value, list) else [value]:
            yield f"{NAMED[field]}{each}"


async def _tell_prices(
    connection: AsyncConnection[Any], rows: list[OperationRow]
) -> list[OperationRow]:
    """Add the changed prices to the operations on prices."""
    positions = [row.position for row in rows if row.topic in OF_PRICES]
    changes = await changes_of(connection, positions) if positions else {}
    return [replace(row, prices=changes.get(row.position, [])) for row in rows]


async def operation_choices(
    connection: AsyncConnection[Any], reach: Reach
) -> tuple[list[str], list[str]]:
    """Return the actors and the kinds of object that the log contains, to choose from."""
    values, within = {"companies": reach.within("")}, _within(reach)
    actors = await (await connection.execute(ACTORS.format(within=within), values)).fetchall()
    kinds = await (await connection.execute(KINDS.format(within=within), values)).fetchall()
    return [row[0] for row in actors], [row[0] for row in kinds]

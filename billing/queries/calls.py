"""The call list: its pages, its export, and the number of calls received."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.queries.call_filter import CallFilter, where_calls
from billing.queries.paging import Order, Page, Place
from billing.queries.reach import Reach

EXPORT_CHUNK = 4_000


class CallRow(msgspec.Struct, frozen=True, kw_only=True):
    started_at: datetime
    call_id: str
    company_id: str
    company: str
    device: str
    user: str
    gateway: str
    extension: str
    caller: str
    dialled: str
    number: str
    area: str
    call_class: str
    direction: str
    result: str
    status: str
    reason: str
    talk_ms: int
    billed_seconds: int
    amount_micros: int
    currency: str
    rate_name: str
    flags: list[str]
    conflicts: int


# Fields of a row that are not columns of `call_list` with the same name.
ELSEWHERE = {
    "company": "coalesce(a.name, c.company_id)",
    "device": "coalesce(d.name, c.device_id)",
    "user": "coalesce(u.name, c.user_account_id)",
    "gateway": "coalesce(g.name, c.gateway_account_id)",
    "call_class": "c.class",
}
COLUMNS = ", ".join(
    f'{ELSEWHERE.get(field, f"c.{field}")} as "{field}"' for field in CallRow.__struct_fields__
)
NAMED = """
 left join accounts a on a.account = 'company:' || c.company_id
 left join devices d on d.device_id = c.device_id
 left join accounts u on u.account = c.user_account_id
 left join accounts g on g.account = c.gateway_account_id"""

# The planner estimates digits badly: to find a dozen calls it may read all of them by time. An
# indexed probe shows whether there are few; if so, they are found first and then sorted.
INDEXED = ("begins", "ends")  # ways to match a number that an index supports
FEW = 2_000
PROBE = "select count(*) from (select 1 from call_list c where {where} limit {most}) found"
ROWS_OF_FEW = """
select * from (select * from call_list c where {where} offset 0) c {sort} {limit}"""

ARRIVED = "select company_id, sum(calls)::bigint from devices group by company_id"
ROWS = "select * from call_list c where {where} {sort} {limit}"
# For several companies: read the newest of each in index order, then merge.
ROWS_OF_SEVERAL = """
select c.* from unnest(%(companies)s::text[]) as own(company_id)
 cross join lateral ({rows}) c {sort} {limit}"""
NEWEST_FIRST = Order({"c.started_at": "started_at", "c.call_id": "call_id"}, newest_first=True)


async def list_calls(
    connection: AsyncConnection[Any], wanted: CallFilter, place: Place | None, size: int
) -> Page[CallRow]:
    """Return one page of the calls that pass the filter, newest first."""
    several = len(wanted.companies or ()) > 1 and not wanted.is_selective
    where, values = where_calls(wanted, "own.company_id" if several else "")
    cut = NEWEST_FIRST.cut(place, size)
    where, values = where + cut.beyond, values | cut.values
    by_digits = bool(wanted.text) and wanted.match in INDEXED and not several
    few = by_digits and await _are_few(connection, where, values)
    rows = (ROWS_OF_FEW if few else ROWS).format(where=where, sort=cut.sort, limit=cut.limit)
    if several:
        rows = ROWS_OF_SEVERAL.format(rows=rows, sort=cut.sort, limit=cut.limit)
    statement = f"select {COLUMNS} from ({rows}) c {NAMED} {cut.sort}"  # join names last
    return await cut.fetch(connection, CallRow, statement, values)


async def _are_few(connection: AsyncConnection[Any], where: str, values: dict[str, Any]) -> bool:
    cursor = await connection.execute(PROBE.format(where=where, most=FEW + 1), values)
    row = await cursor.fetchone()
    return row is not None and row[0] <= FEW


async def export_calls(
    connection: AsyncConnection[Any], wanted: CallFilter
) -> AsyncGenerator[list[CallRow], None]:
    """Yield every call that passes the filter, newest first, in chunks of a server-side cursor."""
    where, values = where_calls(wanted)
    async with (
        connection.transaction(),
        connection.cursor("export", row_factory=class_row(CallRow)) as cursor,
    ):
        await cursor.execute(
            f"select {COLUMNS} from call_list c {NAMED} where {where}"
            " order by c.started_at desc, c.call_id desc",
            values,
        )
        while rows := await cursor.fetchmany(EXPORT_CHUNK):
            yield rows


async def count_arrived(connection: AsyncConnection[Any]) -> dict[str, int]:
    """Return how many calls were ever received, by the company of the device."""
    cursor = await connection.execute(ARRIVED)
    return dict(await cursor.fetchall())


def arrived_within(reach: Reach, arrived: dict[str, int]) -> int:
    """Sum up the counts of the companies within a reach."""
    return sum(count for company_id, count in arrived.items() if reach.holds(company_id))


def key_type() -> Any:
    """The type of a key in the call list: start and call id."""
    return tuple[datetime, str]

"""What the call list shows: pages, totals and exports of one filter, and how many calls came in."""

from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.projections.reading.paging import Page, Place, like, make_page
from billing.values import Money, Period

COUNT_BOUND = 200_000  # beyond it a count takes longer than a person waits
EXPORT_CHUNK = 2_000


class CallFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls; an empty field admits all."""

    period: Period
    zone: ZoneInfo
    text: str = ""  # part of a number, or an extension exactly
    call_class: str = ""
    company_id: str = ""
    device_id: str = ""
    result: str = ""
    status: str = ""  # rated, suspended, rerated, voided; or conflict


class CallRow(msgspec.Struct, frozen=True, kw_only=True):
    started_at: datetime
    call_id: str
    company_id: str
    company: str
    device: str
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
    conflicts: int


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the whole filter. With `more`, there are more calls than were counted.

    Suspended and voided calls are on the list and count as calls; nothing else of them is added.
    """

    calls: int = 0
    rated: int = 0
    answered: int = 0  # of the rated ones
    talk_ms: int = 0
    amounts: tuple[Money, ...] = ()
    more: bool = False


COLUMNS = """
 c.started_at, c.call_id, c.company_id, coalesce(a.name, c.company_id) as company,
 coalesce(d.name, c.device_id) as device, c.extension, c.caller, c.dialled, c.number, c.area,
 c.class as call_class, c.direction, c.result, c.status, c.reason, c.talk_ms, c.billed_seconds,
 c.amount_micros, c.currency, c.rate_name, c.conflicts
from call_list c
 left join accounts a on a.account = 'company:' || c.company_id
 left join devices d on d.device_id = c.device_id"""

CONDITIONS = {
    "text": "(c.number like %(part)s or c.dialled like %(part)s or c.extension = %(text)s)",
    "call_class": "c.class = %(call_class)s",
    "company_id": "c.company_id = %(company_id)s",
    "device_id": "c.device_id = %(device_id)s",
    "result": "c.result = %(result)s",
    "status": "c.status = %(status)s",
}
IN_PERIOD = "c.started_at >= %(begin)s and c.started_at < %(end)s"
IN_CONFLICT = "c.conflicts > 0"

UNRATED = "status in ('suspended', 'voided')"  # word for word what the partial index says
SUMS = f"""
 count(*), count(*) filter (where not {UNRATED}),
 count(*) filter (where not {UNRATED} and result = 'answered'),
 coalesce(sum(talk_ms) filter (where not {UNRATED}), 0)::bigint,
 coalesce(sum(amount_micros) filter (where not {UNRATED}), 0)::bigint"""
USAGE_SUMS = """
select currency, sum(calls)::bigint, sum(calls)::bigint,
 coalesce(sum(calls) filter (where result = 'answered'), 0)::bigint,
 sum(talk_ms)::bigint, sum(amount_micros)::bigint
from daily_usage c where c.day between %(first)s and %(last)s"""

ARRIVED = "select coalesce(sum(calls), 0)::bigint from devices"


def _where(wanted: CallFilter) -> tuple[str, dict[str, Any]]:
    begin, end = wanted.period.bounds(wanted.zone)
    conditions, values = [IN_PERIOD], _values(wanted) | {"begin": begin, "end": end}
    for field, condition in CONDITIONS.items():
        if getattr(wanted, field):
            is_conflict = field == "status" and wanted.status == "conflict"
            conditions.append(IN_CONFLICT if is_conflict else condition)
    return " and ".join(conditions), values


def _values(wanted: CallFilter) -> dict[str, Any]:
    return {field: getattr(wanted, field) for field in CONDITIONS} | {
        "part": like(wanted.text),
        "first": wanted.period.first,
        "last": wanted.period.last,
    }


async def list_calls(
    connection: AsyncConnection[Any], wanted: CallFilter, place: Place | None, size: int
) -> Page[CallRow]:
    """One page of the filter, newest first."""
    where, values = _where(wanted)
    order = "desc"
    if place:
        values |= {"key_start": place.key[0], "key_id": place.key[1]}
        sign, order = (">", "asc") if place.backwards else ("<", "desc")
        where += f" and (c.started_at, c.call_id) {sign} (%(key_start)s, %(key_id)s)"
    statement = (
        f"select {COLUMNS} where {where} "
        f"order by c.started_at {order}, c.call_id {order} limit {size + 1}"
    )
    async with connection.cursor(row_factory=class_row(CallRow)) as cursor:
        await cursor.execute(statement, values)
        found = await cursor.fetchall()
    return make_page(found, size, place, lambda row: (row.started_at, row.call_id))


async def total_calls(connection: AsyncConnection[Any], wanted: CallFilter) -> Totals:
    """The totals of the whole filter: from the daily roll-ups, or counted up to a bound."""
    if wanted.text or wanted.status:
        return await _count(connection, wanted)
    statement = USAGE_SUMS
    for field, condition in CONDITIONS.items():
        if getattr(wanted, field):
            statement += f" and {condition}"
    cursor = await connection.execute(f"{statement} group by currency", _values(wanted))
    totals = _totals(await cursor.fetchall())
    where, values = _where(wanted)
    cursor = await connection.execute(
        f"select count(*) from call_list c where {where} and {UNRATED}", values
    )
    unrated = await cursor.fetchone() or (0,)
    return msgspec.structs.replace(totals, calls=totals.calls + unrated[0])


async def _count(connection: AsyncConnection[Any], wanted: CallFilter) -> Totals:
    where, values = _where(wanted)
    cursor = await connection.execute(
        f"select currency, {SUMS} from (select currency, status, result, talk_ms, amount_micros"
        f" from call_list c where {where} limit {COUNT_BOUND + 1}) counted group by currency",
        values,
    )
    totals = _totals(await cursor.fetchall())
    if totals.calls > COUNT_BOUND:
        # What was added up is an arbitrary part: a sum of it would be a wrong figure.
        return Totals(calls=COUNT_BOUND, more=True)
    return totals


def _totals(rows: list[tuple[Any, ...]]) -> Totals:
    return Totals(
        calls=sum(row[1] for row in rows),
        rated=sum(row[2] for row in rows),
        answered=sum(row[3] for row in rows),
        talk_ms=sum(row[4] for row in rows),
        amounts=tuple(Money(row[5], row[0]) for row in sorted(rows) if row[0] and row[2]),
    )


async def export_calls(
    connection: AsyncConnection[Any], wanted: CallFilter
) -> AsyncIterator[list[CallRow]]:
    """Every call of the filter, newest first, a chunk at a time from a cursor in the server."""
    where, values = _where(wanted)
    async with (
        connection.transaction(),
        connection.cursor("export", row_factory=class_row(CallRow)) as cursor,
    ):
        await cursor.execute(
            f"select {COLUMNS} where {where} order by c.started_at desc, c.call_id desc", values
        )
        while rows := await cursor.fetchmany(EXPORT_CHUNK):
            yield rows


async def count_arrived(connection: AsyncConnection[Any]) -> int:
    """How many calls ever came in; what it grows by is new."""
    cursor = await connection.execute(ARRIVED)
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


def key_type() -> Any:
    """What a place in the call list is made of."""
    return tuple[datetime, str]


def last_days(today: date, days: int) -> Period:
    """The period of the `days` days that end today."""
    return Period(date.fromordinal(today.toordinal() - days + 1), today)

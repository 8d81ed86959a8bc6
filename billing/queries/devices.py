"""The devices page: phone systems, their last records, and how many they sent."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from billing.queries.device import HEALTH
from billing.queries.paging import Order, Page, Place, like
from billing.queries.reach import Reach

KEY_TYPE = tuple[str, str]


class DeviceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which devices to list; an empty field does not filter."""

    reach: Reach
    text: str = ""  # part of the name or the model
    company_id: str = ""
    state: str = ""  # enabled, disabled
    zone: str = "UTC"  # the time zone of "today"


class DeviceRow(msgspec.Struct, frozen=True, kw_only=True):
    device_id: str
    name: str
    sort_name: str
    model: str
    company: str
    time_zone: str
    country: str
    area_code: str
    format: str
    enabled: bool
    extensions: int
    last_cdr_at: datetime | None
    calls: int
    suspended: int
    today: int
    skew_ms: int | None
    silent: bool


class DeviceTotals(msgspec.Struct, frozen=True, kw_only=True):
    devices: int
    extensions: int
    calls: int
    suspended: int


LIST = f"""
select d.device_id, d.name, lower(d.name) as sort_name, d.model,
 coalesce(a.name, d.company_id) as company, d.time_zone, d.country, d.area_code, d.format,
 d.enabled, d.extensions, d.last_cdr_at, d.calls, d.suspended, {HEALTH}
from devices d left join accounts a on a.account = 'company:' || d.company_id"""
SUMS = """
select count(*), coalesce(sum(extensions), 0)::bigint, coalesce(sum(calls), 0)::bigint,
 coalesce(sum(suspended), 0)::bigint
from devices d"""
BY_NAME = Order({"lower(d.name)": "sort_name", "d.device_id": "device_id"})


def _where(wanted: DeviceFilter) -> tuple[str, dict[str, Any]]:
    where = "where " + wanted.reach.condition("d.company_id", wanted.company_id)
    if wanted.text:
        where += " and (lower(d.name) like lower(%(part)s) or lower(d.model) like lower(%(part)s))"
    if wanted.state:
        where += " and d.enabled = %(enabled)s"
    return where, {
        "part": like(wanted.text),
        "companies": wanted.reach.within(wanted.company_id),
        "zone": wanted.zone,
        "enabled": wanted.state == "enabled",
    }


async def list_devices(
    connection: AsyncConnection[Any], wanted: DeviceFilter, place: Place | None, size: int
) -> Page[DeviceRow]:
    """Return one page of the devices that pass the filter, by name."""
    where, values = _where(wanted)
    cut = BY_NAME.cut(place, size)
    statement = f"{LIST} {where} {cut.beyond} {cut.sort} {cut.limit}"
    return await cut.fetch(connection, DeviceRow, statement, values)


async def total_devices(connection: AsyncConnection[Any], wanted: DeviceFilter) -> DeviceTotals:
    """Return the totals of every device that passes the filter."""
    where, values = _where(wanted)
    cursor = await connection.execute(f"{SUMS} {where}", values)
    row = await cursor.fetchone() or (0, 0, 0, 0)
    return DeviceTotals(devices=row[0], extensions=row[1], calls=row[2], suspended=row[3])

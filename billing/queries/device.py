"""The page of one device: its settings, health, credentials and submissions."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.queries.paging import Order, Page, Place
from billing.queries.reach import Reach

LOG_LINES = 25


class Device(msgspec.Struct, frozen=True, kw_only=True):
    device_id: str
    name: str
    model: str
    company_id: str
    company: str
    time_zone: str
    country: str
    area_code: str
    format: str
    columns: list[str]
    fallback_encoding: str
    gateway_first: bool
    allowed_addresses: list[str]
    silent_after_minutes: int
    enabled: bool
    disabled_reason: str
    extensions: int
    last_cdr_at: datetime | None
    calls: int
    suspended: int
    today: int  # records that came in today
    skew_ms: int | None  # the smallest delay within 24 hours; below 0: the device's clock is ahead
    silent: bool


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A device account: the name of a pair of credentials. The password is not stored."""

    account: str
    valid_until: datetime | None
    valid: bool


class Cascade(msgspec.Struct, frozen=True, kw_only=True):
    """The device that a device's calls pass through next, and how its calls are matched."""

    upper: str
    name: str
    charged: str
    start_seconds: int
    duration_seconds: int


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    at: datetime
    account: str
    address: str
    status: int
    bytes: int
    accepted: int
    duplicate: int
    conflict: int
    suspended: int
    detail: str


HEALTH = """
 coalesce((select sum(records) from device_hours h where h.device_id = d.device_id
   and h.hour >= date_trunc('day', now(), %(zone)s)), 0)::bigint as today,
 (select min(least_delay_ms) from device_hours h where h.device_id = d.device_id
   and h.hour > now() - interval '24 hours') as skew_ms,
 d.enabled and d.silent_after_minutes > 0
   and coalesce(d.last_cdr_at, '-infinity') < now()
     - make_interval(mins => greatest(0, least(d.silent_after_minutes, 100000))::int)
   as silent"""
FIND = f"""
select d.device_id, d.name, d.model, d.company_id, coalesce(a.name, d.company_id) as company,
 d.time_zone, d.country, d.area_code, d.format, d.columns, d.fallback_encoding, d.gateway_first,
 d.allowed_addresses, d.silent_after_minutes, d.enabled, d.disabled_reason, d.extensions,
 d.last_cdr_at, d.calls, d.suspended, {HEALTH}
from devices d left join accounts a on a.account = 'company:' || d.company_id
where d.device_id = %(device_id)s"""
ACCOUNTS = """
select account, valid_until, valid_until is null or valid_until > now() as valid
from device_credentials where device_id = %s and account not like 'trial-%%'
order by valid_until desc nulls first, account"""
CASCADE = """
select r.upper, coalesce(d.name, r.upper) as name, r.charged, r.start_seconds, r.duration_seconds
from cascade_rules r left join devices d on d.device_id = r.upper
where r.lower = %(device_id)s and {within}"""
SUBMISSIONS = """
select id, at, account, address, status, bytes, accepted, duplicate, conflict, suspended, detail
from submissions where device_id = %(device)s"""
NEWEST_FIRST = Order({"id": "id"}, newest_first=True)


async def find_device(connection: AsyncConnection[Any], device_id: str, zone: str) -> Device | None:
    """Return a device as its page shows it; "today" is a day in the time zone `zone`."""
    async with connection.cursor(row_factory=class_row(Device)) as cursor:
        await cursor.execute(FIND, {"device_id": device_id, "zone": zone})
        return await cursor.fetchone()


async def accounts_of(connection: AsyncConnection[Any], device_id: str) -> list[Account]:
    """Return the device accounts, valid and ended, without those of connection tests."""
    async with connection.cursor(row_factory=class_row(Account)) as cursor:
        await cursor.execute(ACCOUNTS, (device_id,))
        return await cursor.fetchall()


async def submissions_of(connection: AsyncConnection[Any], device_id: str) -> list[Submission]:
    """Return the latest submissions, newest first."""
    return (await submissions_before(connection, device_id, None, LOG_LINES)).rows


async def submissions_before(
    connection: AsyncConnection[Any], device_id: str, place: Place | None, size: int
) -> Page[Submission]:
    """Return one page of the submissions of a device, newest first."""
    cut = NEWEST_FIRST.cut(place, size)
    statement = f"{SUBMISSIONS} {cut.beyond} {cut.sort} {cut.limit}"
    return await cut.fetch(connection, Submission, statement, {"device": device_id})


async def cascade_of(
    connection: AsyncConnection[Any], reach: Reach, device_id: str
) -> Cascade | None:
    """Return the cascade rule of a lower device; None if the upper device is outside the reach."""
    statement = CASCADE.format(within=reach.condition("d.company_id"))
    async with connection.cursor(row_factory=class_row(Cascade)) as cursor:
        await cursor.execute(statement, {"device_id": device_id, "companies": reach.within("")})
        return await cursor.fetchone()

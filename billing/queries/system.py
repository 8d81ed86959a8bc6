"""The state of the database for the system page and the metrics: sizes, rates, lags, devices."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.log.positions import HEAD, lags, shown_sql
from billing.queries.keeping import last_backup
from billing.queries.reach import EVERYTHING, Reach

SILENT_AFTER = timedelta(hours=24)
RATE_SECONDS = 60
MOST_SILENT = 20

LOG = f"""
select version() as server, pg_database_size(current_database()) as bytes,
 {HEAD} as position,
 (select count(*) from devices where enabled) as devices"""
# Enough for a normal minute; if a minute had more, the rate comes from a shorter time.
RECENT = """
select state from billing_events order by notification_id desc limit 2000"""
READINESS = f"""
select (select array_agg(name) from migrations), to_regclass('restoring') is not null,
 {HEAD} - {shown_sql("calls", "balances")}"""
SILENT = f"""
select device_id, name, last_cdr_at, count(*) over () as among from devices
where enabled and (last_cdr_at is null or last_cdr_at < %(before)s) and {{within}}
order by last_cdr_at nulls first, name limit {MOST_SILENT}"""


class SilentDevice(msgspec.Struct, frozen=True):
    """A device that is not reporting; `among` is the number of all of them."""

    device_id: str
    name: str
    last_cdr_at: datetime | None
    among: int


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The database as it is now."""

    server: str  # the version of PostgreSQL
    database_bytes: int
    position: int  # of the last event
    events_a_second: float  # over the last minute
    lags: dict[str, int]  # number of events that each read model is behind
    devices: int
    silent: list[SilentDevice]
    backed_up_at: datetime | None

    @property
    def lag(self) -> int:
        """The lag of the read model that is furthest behind, in events."""
        return max(self.lags.values(), default=0)

    @property
    def silent_count(self) -> int:
        """How many devices are not reporting."""
        return self.silent[0].among if self.silent else 0


class _Envelope(msgspec.Struct, frozen=True):
    recorded_at: datetime


class _StoredEnvelope(msgspec.Struct, frozen=True):
    envelope: _Envelope


_decoder = msgspec.json.Decoder(_StoredEnvelope)


async def read_status(connection: AsyncConnection[Any], now: datetime) -> Status:
    """Return the present state of the database."""
    cursor = await connection.execute(LOG)
    server, size, position, devices = await cursor.fetchone() or ("", 0, 0, 0)
    cursor = await connection.execute(RECENT, binary=True)
    times = [_decoder.decode(state).envelope.recorded_at for (state,) in await cursor.fetchall()]
    silent = await silent_devices(connection, EVERYTHING, now)
    return Status(
        server=" ".join(server.split()[:2]),
        database_bytes=size,
        position=position,
        events_a_second=_rate(times, now),
        lags=await lags(connection),
        devices=devices,
        silent=silent,
        backed_up_at=await last_backup(connection),
    )


async def read_readiness(connection: AsyncConnection[Any]) -> tuple[list[str], bool, int]:
    """Return the applied migrations, whether a restore is unfinished, and the lag in events."""
    cursor = await connection.execute(READINESS)
    ((applied, restoring, lag),) = await cursor.fetchall()
    return applied or [], restoring, lag


async def silent_devices(
    connection: AsyncConnection[Any], reach: Reach, now: datetime
) -> list[SilentDevice]:
    """Return the devices without a record for a day, first those that never sent one."""
    async with connection.cursor(row_factory=class_row(SilentDevice)) as cursor:
        values = {"before": now - SILENT_AFTER, "companies": reach.within("")}
        await cursor.execute(SILENT.format(within=reach.condition("company_id")), values)
        return await cursor.fetchall()


def _rate(times: list[datetime], now: datetime) -> float:
    """Events per second over the last minute, or over less if RECENT does not cover a minute."""
    recent = [at for at in times if now - at < timedelta(seconds=RATE_SECONDS)]
    if not recent:
        return 0.0
    is_all = len(recent) < len(times) or len(times) < 2000  # noqa: PLR2004 -- the limit of RECENT
    seconds = RATE_SECONDS if is_all else max((now - min(recent)).total_seconds(), 0.1)
    return len(recent) / seconds

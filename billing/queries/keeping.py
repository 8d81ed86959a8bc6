"""The pages of keeping: the months and where they are stored, backups, tasks."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.queries.call_filter import UNRATED
from billing.values import Money


class Settings(msgspec.Struct, frozen=True):
    months: int = 6
    backup_days: int = 1
    backups_kept: int = 7
    shorten_months: int = 0  # 0: called numbers are never shortened


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One file of an archived month."""

    month: str
    file: str
    bytes: int
    events: int
    calls: int
    amounts: dict[str, int]
    sha256: str
    archived_at: datetime
    attached: bool
    shortened: bool  # before it was archived


class KeptMonth(msgspec.Struct, frozen=True):
    """A month in the database, with its size on disk."""

    month: str
    calls: int
    bytes: int


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """A month, in the database, in files, or both."""

    month: str
    kept: KeptMonth | None
    parts: tuple[Part, ...]
    shortened: int | None = None  # calls with shortened numbers; None: never shortened

    @property
    def state(self) -> str:
        """Where the calls are: "kept" in the database, "archived" in files, or "attached"."""
        if not self.parts:
            return "kept"
        return "attached" if self.parts[0].attached else "archived"

    @property
    def calls(self) -> int:
        """Number of calls."""
        archived = sum(part.calls for part in self.parts)
        if self.kept is None:
            return archived
        return self.kept.calls + (archived if self.state == "archived" else 0)

    @property
    def amounts(self) -> tuple[Money, ...]:
        """Charges of the archived calls, one amount for each currency."""
        sums: dict[str, int] = {}
        for part in self.parts:
            for currency, micros in part.amounts.items():
                sums[currency] = sums.get(currency, 0) + micros
        return tuple(Money(micros, currency) for currency, micros in sorted(sums.items()))


class BackupRow(msgspec.Struct, frozen=True, kw_only=True):
    file: str
    kind: str
    sha256: str
    bytes: int
    events: int
    period: str
    made_at: datetime
    made_by: str


class TaskRow(msgspec.Struct, frozen=True, kw_only=True):
    task_id: int
    kind: str
    argument: str
    actor: str
    requested_at: datetime
    began_at: datetime | None
    ended_at: datetime | None
    done: int
    outcome: str
    message: str  # of the refusal, with the values for its placeholders
    values: dict[str, str]


SETTINGS = "select months, backup_days, backups_kept, shorten_months from keeping"
# Counted from the read models: PostgreSQL's estimates are lost in a crash.
KEPT = f"""
with counted as (
  select to_char(day, 'YYYY-MM') as month, sum(calls) as calls from usage_days
  where kind = '*' group by 1
  union all
  select to_char(started_at at time zone 'UTC', 'YYYY-MM'), count(*) from call_list
  where {UNRATED} group by 1
), months as (
  select replace(right(relname, 7), '_', '-') as month, oid,
   to_regclass(replace(relname, 'billing_events', 'call_list')) as calls
  from pg_inherits join pg_class on oid = inhrelid
  where inhparent = 'billing_events'::regclass
   and relname ~ '^billing_events_[0-9]{{4}}_[0-9]{{2}}$'
)
select months.month,
 coalesce((select sum(calls) from counted where counted.month = months.month), 0)::bigint as calls,
 pg_total_relation_size(oid) + coalesce(pg_total_relation_size(months.calls), 0) as bytes
from months order by 1"""
PARTS = """
select month, file, bytes, events, calls, amounts, sha256, archived_at, attached, shortened
from archives order by month, part"""
SHORTENED = "select month, calls from shortened_months"
BACKUPS = """
select file, kind, sha256, bytes, events, period, made_at, made_by from backups
where not removed order by made_at desc limit 500"""
TASKS = """
select task_id, kind, argument, envelope ->> 'actor' as actor, requested_at, began_at, ended_at,
 done, outcome, coalesce(refusal ->> 'message', '') as message,
 coalesce(refusal -> 'values', '{}') as values
from tasks where kind = any(%s) order by ended_at is not null, task_id desc limit 12"""
LAST_BACKUP = """
select max(made_at) from backups where kind in ('full', 'scheduled') and not removed"""


async def read_settings(connection: AsyncConnection[Any]) -> Settings:
    """Return how long calls are kept, and how often backups are made."""
    async with connection.cursor(row_factory=class_row(Settings)) as cursor:
        await cursor.execute(SETTINGS)
        return await cursor.fetchone() or Settings()


async def kept_months(connection: AsyncConnection[Any]) -> list[KeptMonth]:
    """The months in the database with their sizes, oldest first."""
    async with connection.cursor(row_factory=class_row(KeptMonth)) as cursor:
        await cursor.execute(KEPT)
        return await cursor.fetchall()


async def all_months(connection: AsyncConnection[Any]) -> list[Month]:
    """Return every month that ever had calls, newest first."""
    kept = {each.month: each for each in await kept_months(connection)}
    async with connection.cursor(row_factory=class_row(Part)) as cursor:
        await cursor.execute(PARTS)
        parts = await cursor.fetchall()
    shortened: dict[str, int] = dict(await (await connection.execute(SHORTENED)).fetchall())
    months = sorted({*kept, *(part.month for part in parts)}, reverse=True)
    return [
        Month(
            month=month,
            kept=kept.get(month),
            parts=tuple(part for part in parts if part.month == month),
            shortened=shortened.get(month),
        )
        for month in months
    ]


async def list_backups(connection: AsyncConnection[Any]) -> list[BackupRow]:
    """Return the backups that were not removed, newest first."""
    async with connection.cursor(row_factory=class_row(BackupRow)) as cursor:
        await cursor.execute(BACKUPS)
        return await cursor.fetchall()


async def list_tasks(connection: AsyncConnection[Any], kinds: tuple[str, ...]) -> list[TaskRow]:
    """Return the pending and running tasks of these kinds, then the last ones that ended."""
    async with connection.cursor(row_factory=class_row(TaskRow)) as cursor:
        await cursor.execute(TASKS, (list(kinds),))
        return await cursor.fetchall()


ARCHIVED_BETWEEN = """
select distinct month from archives where not attached and month between %s and %s order by month"""


async def archived_between(connection: AsyncConnection[Any], begin: str, end: str) -> list[str]:
    """Return the months from `begin` to `end` ("YYYY-MM") whose calls are in files only."""
    cursor = await connection.execute(ARCHIVED_BETWEEN, (begin, end))
    return [month for (month,) in await cursor.fetchall()]


async def last_backup(connection: AsyncConnection[Any]) -> datetime | None:
    """Return when the last backup of everything was made; None if there is none."""
    cursor = await connection.execute(LAST_BACKUP)
    row = await cursor.fetchone()
    return row[0] if row else None

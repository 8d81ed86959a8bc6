"""Usage: calls, talk time and amounts per account, summed by day, hour and area."""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, cast

from psycopg import Cursor

from billing.aggregates.call import CallRated, CallReinstated, CallRerated, CallVoided
from billing.aggregates.posting import posted_ratings
from billing.log.binary_arrays import Int8Array, TextArray, register
from billing.log.store import Recorded
from billing.periods import local_hour
from billing.projections.sums import Key, Sums, add
from billing.projections.usage_months import late_months, settle_before, settled_through

NAME = "usage"
ALL = "*"  # the account that sums all calls
SOMEBODY = "+"  # any user account

KEYS = {
    "daily_usage": (
        "day",
        "company_id",
        "user_account_id",
        "class",
        "result",
        "currency",
    ),
    "usage_months": ("month", "company_id", "user_account_id", "class", "currency"),
    "usage_days": ("kind", "day", "account", "class", "result", "currency"),
    "usage_account_months": ("kind", "month", "account", "class", "currency"),
    "usage_hours": ("account", "day", "hour", "class", "currency"),
    "usage_hour_months": ("account", "month", "weekday", "hour", "class", "currency"),
    "usage_areas": ("account", "day", "area", "currency"),
    "usage_area_months": ("account", "month", "area", "currency"),
}
TABLES = (*KEYS, "usage_settled")
SUMS = ("calls", "talk_ms", "billed_seconds", "amount_micros", "answered")
OF_DAYS = ("daily_usage", "usage_days", "usage_hours", "usage_areas")
WITH_RESULT = ("daily_usage", "usage_days")  # in the key, so without `answered`
CallEvent = CallRated | CallReinstated | CallRerated | CallVoided


def _sums_of(table: str) -> tuple[str, ...]:
    return SUMS[:-1] if table in WITH_RESULT else SUMS


def _statement(table: str) -> str:
    keys, sums = KEYS[table], _sums_of(table)
    types = {"day": "date", "month": "date", "hour": "int8", "weekday": "int8"}
    given = [f"%s::{types.get(key, 'text')}[]" for key in keys] + ["%s::int8[]" for _ in sums]
    added = ", ".join(f"{each} = usage.{each} + excluded.{each}" for each in sums)
    return (
        f"insert into {table} as usage ({', '.join(keys + sums)})"
        f" select * from unnest({', '.join(given)})"
        f" on conflict ({', '.join(keys)}) do update set {added}"
    )


ADD = {table: _statement(table) for table in KEYS}


def apply(cursor: Cursor[Any], batch: Sequence[Recorded], zone: str) -> None:
    """Sum up the calls of a batch by local days of `zone`."""
    daily: Sums = {}
    calls: Sums = {}
    areas: Sums = {}
    for recorded in batch:
        for sign, rating in posted_ratings(recorded.event):
            # Only events of calls post ratings.
            event = cast(CallEvent, recorded.event)
            cdr = event.cdr
            when = local_hour(event.filed_at, zone)
            day, company, user = when[0], rating.company_id, rating.user_account
            call_class, result, currency = rating.call_class, cdr.result, rating.currency
            figures = (
                sign,
                sign * cdr.billed_ms,
                sign * rating.billed_seconds,
                sign * rating.amount_micros,
            )
            add(daily, (day, company, user, call_class, result, currency), figures)
            # By hour and area users are summed together: one by one they would be as many as calls.
            whose = (company, user and SOMEBODY, rating.gateway_account, event.device_id)
            add(calls, (when, whose, call_class, result, currency), figures)
            add(areas, (day, whose, rating.area, result, currency), figures)
    if daily:
        register(cursor)
        through = settled_through(cursor)
        for table, sums in _tables(daily, calls, areas, through).items():
            if sums:
                cursor.execute(ADD[table], _columns(table, sums))
        settle_before(cursor, max(day for day, *_ in daily), through)


def _tables(daily: Sums, calls: Sums, areas: Sums, through: date) -> dict[str, Sums]:
    """Return the sums for each table. Thousands of calls have few keys, so this loops over keys."""
    days: Sums = {}
    hours: Sums = {}
    by_area: Sums = {}
    for ((day, hour), whose, call_class, result, currency), figures in calls.items():
        answered = figures[0] if result == "answered" else 0
        for kind, account in accounts_of(*whose):
            add(days, (kind, day, account, call_class, result, currency), figures)
            if kind != "device":
                add(hours, (account, day, hour, call_class, currency), figures, answered)
    for (day, whose, area, result, currency), figures in areas.items():
        answered = figures[0] if result == "answered" else 0
        for kind, account in accounts_of(*whose):
            if kind != "device":
                add(by_area, (account, day, area, currency), figures, answered)
    tables = dict(zip(OF_DAYS, (daily, days, hours, by_area), strict=True))
    return tables | late_months(tables, through)


def _columns(table: str, sums: Sums) -> list[Any]:
    """Return the arrays for a table's statement."""
    keys = zip(*sums, strict=True)
    columns: list[Any] = []
    for name, values in zip(KEYS[table], keys, strict=True):
        if name in ("day", "month"):
            columns.append(list(values))
        elif name in ("hour", "weekday"):
            columns.append(Int8Array.of_numbers(values))
        else:
            columns.append(TextArray.of([value.encode() for value in values]))
    figures = list(zip(*sums.values(), strict=True))[: len(_sums_of(table))]
    return [*columns, *(Int8Array.of_numbers(column) for column in figures)]


@lru_cache(maxsize=20_000)
def accounts_of(
    company_id: str, user_account: str, gateway_account: str, device_id: str
) -> tuple[tuple[str, str], ...]:
    """Return the accounts a call is added to, as (kind, account); migration 0050 lists them."""
    return tuple(_accounts_of(company_id, user_account, gateway_account, device_id))


def _accounts_of(company_id: str, user: str, gateway: str, device_id: str) -> Iterator[Key]:
    yield ALL, ALL
    yield "company", f"company:{company_id}"
    yield "device", f"device:{device_id}"
    if user:
        yield "users", "users:"
        yield "users", f"users:{company_id}"
    if gateway:
        yield "gateway", gateway
        yield "gateways", "gateways:"
        yield "gateways", f"gateways:{company_id}"

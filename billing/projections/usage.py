"""Usage: calls, talk time and amounts added up by day, hour and area, for each account."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, cast

from psycopg import Cursor

from billing.aggregates.call import CallRated, CallRerated, CallVoided
from billing.aggregates.posting import Posted, posted_ratings
from billing.binary_arrays import Int8Array, TextArray, register
from billing.projections.days import local_hour
from billing.store import Recorded

NAME = "usage"
ALL = "*"  # the account under which every call is added up

KEYS = {
    "daily_usage": (
        "day",
        "company_id",
        "user_account_id",
        "gateway_account_id",
        "device_id",
        "class",
        "result",
        "currency",
    ),
    "usage_days": ("kind", "day", "account", "class", "result", "currency"),
    "usage_hours": ("account", "day", "hour", "class", "currency"),
    "usage_areas": ("account", "day", "area", "currency"),
}
TABLES = tuple(KEYS)
SUMS = ("calls", "talk_ms", "billed_seconds", "amount_micros", "answered")
WITH_RESULT = ("daily_usage", "usage_days")  # `answered` is a key of these
Key = tuple[Any, ...]
Sums = dict[Key, list[int]]
CallEvent = CallRated | CallRerated | CallVoided


def _sums_of(table: str) -> tuple[str, ...]:
    return SUMS[:-1] if table in WITH_RESULT else SUMS


def _statement(table: str) -> str:
    keys, sums = KEYS[table], _sums_of(table)
    types = {"day": "date", "hour": "int8"}
    given = [f"%s::{types.get(key, 'text')}[]" for key in keys] + ["%s::int8[]" for _ in sums]
    added = ", ".join(f"{each} = usage.{each} + excluded.{each}" for each in sums)
    return (
        f"insert into {table} as usage ({', '.join(keys + sums)})"
        f" select * from unnest({', '.join(given)})"
        f" on conflict ({', '.join(keys)}) do update set {added}"
    )


ADD = {table: _statement(table) for table in KEYS}


def apply(cursor: Cursor[Any], batch: Sequence[Recorded], zone: str) -> None:
    """Add up the calls of a batch, by local days of `zone`."""
    calls: Sums = {}
    areas: Sums = {}
    for recorded in batch:
        for posting in posted_ratings(recorded.event):
            # Nothing but an event of a call posts anything.
            _add_posting((calls, areas), cast("CallEvent", recorded.event), posting, zone)
    if calls:
        register(cursor)
        for table, sums in _tables(calls, areas).items():
            cursor.execute(ADD[table], _columns(table, sums))


def _add_posting(
    sums_by_class_and_area: tuple[Sums, Sums], event: CallEvent, posting: Posted, zone: str
) -> None:
    cdr, (sign, rating) = event.cdr, posting
    whose = rating.company_id, rating.user_account, rating.gateway_account, event.device_id
    when = local_hour(event.filed_at, zone)
    result, currency = cdr.result, rating.currency
    figures = (
        sign,
        sign * cdr.billed_ms,
        sign * rating.billed_seconds,
        sign * rating.amount_micros,
    )
    keys = (
        (when, whose, rating.call_class, result, currency),
        (when[0], whose, rating.area, result, currency),
    )
    for sums, key in zip(sums_by_class_and_area, keys, strict=True):
        if total := sums.get(key):
            total[0] += figures[0]
            total[1] += figures[1]
            total[2] += figures[2]
            total[3] += figures[3]
        else:
            sums[key] = [*figures]


def _tables(calls: Sums, areas: Sums) -> dict[str, Sums]:
    """What each table gains. Thousands of calls have few keys: this goes through those alone."""
    tables: dict[str, Sums] = {table: {} for table in KEYS}
    daily, days, hours, by_area = tables.values()
    for ((day, hour), whose, call_class, result, currency), figures in calls.items():
        _add(daily, (day, *whose, call_class, result, currency), figures)
        answered = [*figures, figures[0] if result == "answered" else 0]
        for kind, account in accounts_of(*whose):
            _add(days, (kind, day, account, call_class, result, currency), figures)
            if kind != "device":
                _add(hours, (account, day, hour, call_class, currency), answered)
    for (day, whose, area, result, currency), figures in areas.items():
        answered = [*figures, figures[0] if result == "answered" else 0]
        for kind, account in accounts_of(*whose):
            if kind != "device":
                _add(by_area, (account, day, area, currency), answered)
    return tables


def _add(sums: Sums, key: Key, figures: list[int]) -> None:
    found = sums.get(key)
    if found is None:
        sums[key] = figures.copy()
    else:
        for place, figure in enumerate(figures):
            found[place] += figure


def _columns(table: str, sums: Sums) -> list[Any]:
    """The arrays of a table's statement."""
    keys = zip(*sums, strict=True)
    columns: list[Any] = []
    for name, values in zip(KEYS[table], keys, strict=True):
        if name == "day":
            columns.append(list(values))
        elif name == "hour":
            columns.append(Int8Array.of_numbers(values))
        else:
            columns.append(TextArray.of([value.encode() for value in values]))
    figures = zip(*sums.values(), strict=True)
    return [*columns, *(Int8Array.of_numbers(column) for column in figures)]


@lru_cache(maxsize=20_000)
def accounts_of(
    company_id: str, user_account: str, gateway_account: str, device_id: str
) -> tuple[tuple[str, str], ...]:
    """The accounts a call is added up under, each with its kind (migration 0050 lists them)."""
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

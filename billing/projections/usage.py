"""Daily usage: calls, talk time and amounts by day, company, accounts, device, class and result."""

from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import Cursor

from billing.aggregates.call import CallRated, CallVoided
from billing.store import Recorded

NAME = "usage"
TABLES = ("daily_usage",)

ADD = """
insert into daily_usage as usage (day, company_id, user_account_id, gateway_account_id, device_id,
  class, result, currency, calls, talk_ms, billed_seconds, amount_micros)
select * from unnest(%s::date[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
  %s::text[], %s::text[], %s::int8[], %s::int8[], %s::int8[], %s::int8[])
on conflict (company_id, day, user_account_id, gateway_account_id, device_id, class, result,
  currency)
do update set calls = usage.calls + excluded.calls, talk_ms = usage.talk_ms + excluded.talk_ms,
  billed_seconds = usage.billed_seconds + excluded.billed_seconds,
  amount_micros = usage.amount_micros + excluded.amount_micros"""
QUARTER_SECONDS = 900  # no zone changes its offset within a quarter of an hour


def apply(cursor: Cursor[Any], batch: Sequence[Recorded], zone: str) -> None:
    """Add up the calls of a batch, by local days of `zone`."""
    sums: dict[tuple[Any, ...], list[int]] = {}
    for recorded in batch:
        match recorded.event:
            case CallRated() as event:
                sign = 1
            case CallVoided() as event if event.rating.status == "rated":
                sign = -1
            case _:
                continue
        cdr, rating = event.cdr, event.rating
        key = (
            local_day(int(event.filed_at.timestamp()) // QUARTER_SECONDS, zone),
            rating.company_id,
            rating.user_account,
            rating.gateway_account,
            event.device_id,
            rating.call_class,
            cdr.result,
            rating.currency,
        )
        total = sums.setdefault(key, [0, 0, 0, 0])
        total[0] += sign
        total[1] += sign * cdr.billed_ms
        total[2] += sign * rating.billed_seconds
        total[3] += sign * rating.amount_micros
    if sums:
        rows = [(*key, *total) for key, total in sums.items()]
        cursor.execute(ADD, [list(column) for column in zip(*rows, strict=True)])


@lru_cache(maxsize=20_000)
def local_day(quarter: int, zone: str) -> date:
    """The local day of a quarter of an hour since 1970."""
    return datetime.fromtimestamp(quarter * QUARTER_SECONDS, ZoneInfo(zone)).date()

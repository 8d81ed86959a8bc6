"""Calls charged by a rate group's prices, to estimate what other prices would have charged."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import psycopg

MOST = 50_000

CALLS = """
select c.call_id, ltrim(c.number, '+'), c.area, c.amount_micros
from call_list c
where c.company_id in (select company_id from accounts where kind = 'company'
  and rate_group = %(group)s)
 and c.started_at >= %(begin)s and c.started_at < %(end)s and c.direction = 'outbound'
 and c.result in ('answered', '') and c.talk_ms > 0 and c.status in ('rated', 'rerated')
 and not 'shortened' = any(c.flags)
order by c.started_at desc limit %(most)s"""
Call = tuple[str, str, str, int]  # call id, digits, area, charge in micro-units


def charged_calls(
    connection: psycopg.Connection[Any], group_id: str, begin: datetime, end: datetime
) -> Iterator[Call]:
    """Yield the latest outbound calls in a period of the companies with this rate group."""
    values = {"group": group_id, "begin": begin, "end": end, "most": MOST}
    with connection.transaction(), connection.cursor("charged_calls") as cursor:
        cursor.execute(CALLS, values)
        yield from cursor

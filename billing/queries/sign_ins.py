"""The log of sign-ins. A sign-in is a row of a table, not an event."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from psycopg import AsyncConnection

from billing.periods import Period
from billing.queries.paging import Order, Page, Place, like

KEY_TYPE = tuple[int]


class SignInFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which sign-ins to list; an empty field does not filter."""

    period: Period
    zone: ZoneInfo
    kind: str = ""
    reason: str = ""
    text: str = ""  # part of the name or the IP address


class SignInRow(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    at: datetime
    kind: str
    reason: str
    sign_in_name: str
    administrator_id: str
    address: str
    browser: str
    ended_by: str  # actor that ended the session; "" if nobody did


LIST = """
select s.id, s.at, s.kind, s.reason, s.sign_in_name, s.administrator_id, s.address, s.browser,
 s.ended_by
from sign_ins s"""
NEWEST_FIRST = Order({"s.id": "id"}, newest_first=True)


async def list_sign_ins(
    connection: AsyncConnection[Any], wanted: SignInFilter, place: Place | None, size: int
) -> Page[SignInRow]:
    """Return one page of the sign-ins that pass the filter, newest first."""
    begin, end = wanted.period.bounds(wanted.zone)
    values: dict[str, Any] = {"begin": begin, "end": end, "part": like(wanted.text)}
    where, cut = "where s.at >= %(begin)s and s.at < %(end)s", NEWEST_FIRST.cut(place, size)
    for field in ("kind", "reason"):
        if value := getattr(wanted, field):
            where += f" and s.{field} = %({field})s"
            values[field] = value
    if wanted.text:
        where += " and (lower(s.sign_in_name) like lower(%(part)s) or s.address like %(part)s)"
    statement = f"{LIST} {where} {cut.beyond} {cut.sort} {cut.limit}"
    return await cut.fetch(connection, SignInRow, statement, values)

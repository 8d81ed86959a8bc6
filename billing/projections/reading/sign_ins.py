"""What the log of sign-ins shows, and how it is written: a sign-in is no event."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.projections.reading.paging import Page, Place, like, make_page
from billing.values import Period

KEY_TYPE = tuple[int]


class SignInFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which sign-ins; an empty field admits all."""

    period: Period
    zone: ZoneInfo
    kind: str = ""
    text: str = ""  # part of the name or the address


class SignInRow(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    at: datetime
    kind: str
    reason: str
    sign_in_name: str
    administrator_id: str
    address: str
    browser: str


LIST = """
select id, at, kind, reason, sign_in_name, administrator_id, address, browser from sign_ins"""


async def list_sign_ins(
    connection: AsyncConnection[Any], wanted: SignInFilter, place: Place | None, size: int
) -> Page[SignInRow]:
    """One page of the log, newest first."""
    begin, end = wanted.period.bounds(wanted.zone)
    values: dict[str, Any] = {"begin": begin, "end": end, "part": like(wanted.text)}
    where, order = "where at >= %(begin)s and at < %(end)s", "desc"
    if wanted.kind:
        where += " and kind = %(kind)s"
        values["kind"] = wanted.kind
    if wanted.text:
        where += " and (lower(sign_in_name) like lower(%(part)s) or address like %(part)s)"
    if place:
        sign, order = (">", "asc") if place.backwards else ("<", "desc")
        where += f" and id {sign} %(key)s"
        values["key"] = place.key[0]
    async with connection.cursor(row_factory=class_row(SignInRow)) as cursor:
        await cursor.execute(f"{LIST} {where} order by id {order} limit {size + 1}", values)
        found = await cursor.fetchall()
    return make_page(found, size, place, lambda row: (row.id,))

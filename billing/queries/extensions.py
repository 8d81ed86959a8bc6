"""The page of a device's extensions."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from billing.queries.paging import Order, Page, Place, like
from billing.queries.reach import Reach

KEY_TYPE = tuple[str, str]


class ExtensionRow(msgspec.Struct, frozen=True, kw_only=True):
    tenant: str
    extension: str
    account: str  # "" = the company
    account_name: str
    name: str
    valid_from: datetime | None  # of the latest assignment
    times: int  # number of assignments so far


LIST = """
select e.tenant, e.extension, e.account, coalesce(a.name, e.account) as account_name, e.name,
 e.valid_from, (select count(*) from extension_assignments x where x.device_id = e.device_id
   and x.tenant = e.tenant and x.extension = e.extension)::int as times
from device_extensions e left join accounts a on a.account = e.account and {within}
where e.device_id = %(device_id)s"""
HOLDERS = "select tenant, extension, account, name from device_extensions where device_id = %s"
BY_NUMBER = Order({"e.tenant": "tenant", "e.extension": "extension"})


async def list_extensions(
    connection: AsyncConnection[Any],
    reach: Reach,
    device_id: str,
    text: str,
    place: Place | None,
    *,
    size: int,
) -> Page[ExtensionRow]:
    """Return one page, by tenant and number; `text` is part of the number or of a name."""
    where, cut = "", BY_NUMBER.cut(place, size)
    values: dict[str, Any] = {"device_id": device_id, "part": like(text)}
    values["companies"] = reach.within("")
    select = LIST.format(within=reach.condition("a.company_id"))
    if text:
        where += (
            " and (e.extension like %(part)s or lower(e.name) like lower(%(part)s)"
            " or lower(a.name) like lower(%(part)s))"
        )
    statement = f"{select} {where} {cut.beyond} {cut.sort} {cut.limit}"
    return await cut.fetch(connection, ExtensionRow, statement, values)


async def holders(
    connection: AsyncConnection[Any], device_id: str
) -> dict[tuple[str, str], tuple[str, str]]:
    """Return the account and the name of each extension of a device, by tenant and extension."""
    cursor = await connection.execute(HOLDERS, (device_id,))
    return {(row[0], row[1]): (row[2], row[3]) for row in await cursor.fetchall()}

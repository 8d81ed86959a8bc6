"""What the page of a device's extensions shows."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.queries.paging import Page, Place, like, make_page
from billing.queries.reach import Reach

KEY_TYPE = tuple[str, str]


class ExtensionRow(msgspec.Struct, frozen=True, kw_only=True):
    tenant: str
    extension: str
    account: str  # '' = the company
    account_name: str
    name: str
    valid_from: datetime | None  # of what was said last
    times: int  # it was assigned


LIST = """
select e.tenant, e.extension, e.account, coalesce(a.name, e.account) as account_name, e.name,
 e.valid_from, (select count(*) from extension_assignments x where x.device_id = e.device_id
   and x.tenant = e.tenant and x.extension = e.extension)::int as times
from device_extensions e left join accounts a on a.account = e.account and {within}
where e.device_id = %(device_id)s"""
HOLDERS = "select tenant, extension, account, name from device_extensions where device_id = %s"


async def list_extensions(
    connection: AsyncConnection[Any],
    reach: Reach,
    device_id: str,
    text: str,
    place: Place | None,
    *,
    size: int,
) -> Page[ExtensionRow]:
    """One page, by tenant and number; `text` is part of the number or of a name."""
    where, order = "", "asc"
    values: dict[str, Any] = {"device_id": device_id, "part": like(text)}
    values["companies"] = reach.within("")
    select = LIST.format(within=reach.condition("a.company_id"))
    if text:
        where += (
            " and (e.extension like %(part)s or lower(e.name) like lower(%(part)s)"
            " or lower(a.name) like lower(%(part)s))"
        )
    if place:
        values |= {"key_tenant": place.key[0], "key_extension": place.key[1]}
        sign, order = ("<", "desc") if place.backwards else (">", "asc")
        where += f" and (e.tenant, e.extension) {sign} (%(key_tenant)s, %(key_extension)s)"
    async with connection.cursor(row_factory=class_row(ExtensionRow)) as cursor:
        await cursor.execute(
            f"{select} {where} order by e.tenant {order}, e.extension {order} limit {size + 1}",
            values,
        )
        found = await cursor.fetchall()
    return make_page(found, size, place, lambda row: (row.tenant, row.extension))


async def holders(
    connection: AsyncConnection[Any], device_id: str
) -> dict[tuple[str, str], tuple[str, str]]:
    """The account and the name of each extension of a device."""
    cursor = await connection.execute(HOLDERS, (device_id,))
    return {(row[0], row[1]): (row[2], row[3]) for row in await cursor.fetchall()}

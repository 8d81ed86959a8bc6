"""The pages of rate groups: the groups, the companies assigned to them, their imports."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.queries.paging import Order, Page, Place, like

KEY_TYPE = tuple[str, str]


class GroupRow(msgspec.Struct, frozen=True, kw_only=True):
    group_id: str
    name: str
    sort_name: str
    currency: str
    changed_at: datetime
    companies: int
    prices: int
    planned: int


class ImportRow(msgspec.Struct, frozen=True, kw_only=True):
    import_id: str
    file_name: str
    prices: int
    ended: int
    recorded_at: datetime
    actor: str
    undone_at: datetime | None


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """A company that a group is assigned to."""

    company_id: str
    name: str
    valid_from: datetime | None


GROUPS = """
select g.group_id, g.name, lower(g.name) as sort_name, g.currency, g.changed_at,
 (select count(*) from accounts a where a.kind = 'company' and a.rate_group = g.group_id)
  as companies,
 (select count(distinct p.target) from prices p where p.group_id = g.group_id and p.standing
   and p.kind = 'set') as prices,
 (select count(*) from prices p where p.group_id = g.group_id and p.standing
   and p.kind <> 'removed' and p.effective_from > now()) as planned
from rate_groups g"""
BOUND = """
select distinct on (b.company_id) b.company_id, a.name, b.valid_from
from rate_group_bindings b join accounts a on a.account = 'company:' || b.company_id
where b.group_id = %s order by b.company_id, b.bound_at desc"""
IMPORTS = """
select import_id, file_name, prices, ended, recorded_at, actor, undone_at
from deck_imports where group_id = %s order by position desc limit 20"""
BY_NAME = Order({"lower(g.name)": "sort_name", "g.group_id": "group_id"})


async def list_groups(
    connection: AsyncConnection[Any], text: str, place: Place | None, size: int
) -> Page[GroupRow]:
    """Return one page of the groups that were not deleted, by name."""
    where, cut = "where not g.deleted", BY_NAME.cut(place, size)
    if text:
        where += " and lower(g.name) like lower(%(part)s)"
    statement = f"{GROUPS} {where} {cut.beyond} {cut.sort} {cut.limit}"
    return await cut.fetch(connection, GroupRow, statement, {"part": like(text)})


async def find_group(connection: AsyncConnection[Any], group_id: str) -> GroupRow | None:
    """Return one group; None if it is unknown or deleted."""
    async with connection.cursor(row_factory=class_row(GroupRow)) as cursor:
        await cursor.execute(f"{GROUPS} where g.group_id = %s and not g.deleted", (group_id,))
        return await cursor.fetchone()


async def bound_to(connection: AsyncConnection[Any], group_id: str) -> list[Bound]:
    """Return the companies that a group is assigned to, with the moment of the last assignment."""
    async with connection.cursor(row_factory=class_row(Bound)) as cursor:
        await cursor.execute(BOUND, (group_id,))
        return await cursor.fetchall()


async def imports_of(connection: AsyncConnection[Any], group_id: str) -> list[ImportRow]:
    """Return the latest imports into a group, newest first."""
    async with connection.cursor(row_factory=class_row(ImportRow)) as cursor:
        await cursor.execute(IMPORTS, (group_id,))
        return await cursor.fetchall()

"""Look up the accounts and devices that the rows of a sheet name, all in one query."""

from collections.abc import Collection
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.queries.reach import Reach


class NamedAccount(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    name: str
    company_id: str
    currency: str
    own_wallet: bool
    state: str


class NamedDevice(msgspec.Struct, frozen=True, kw_only=True):
    device_id: str
    name: str
    company_id: str


ACCOUNTS = """
select account, name, company_id, currency, own_wallet, state from accounts
where (lower(name) = any(%(names)s) or account = any(%(names)s)) and {within}"""
DEVICES = """
select device_id, name, company_id from devices
where {within} and (
  lower(name) = any(%(names)s) or device_id = any(%(names)s) or company_id = %(company)s)"""


async def accounts_named(
    connection: AsyncConnection[Any], reach: Reach, names: Collection[str]
) -> dict[str, list[NamedAccount]]:
    """Return the accounts with these names or ids, by name in lower case and by id."""
    async with connection.cursor(row_factory=class_row(NamedAccount)) as cursor:
        wanted = [*names, *(name.lower() for name in names)]
        values = {"names": wanted, "companies": reach.within("")}
        await cursor.execute(ACCOUNTS.format(within=reach.condition("company_id")), values)
        found: dict[str, list[NamedAccount]] = {}
        for each in await cursor.fetchall():
            found.setdefault(each.name.lower(), []).append(each)
            found.setdefault(each.account, []).append(each)
        return found


async def devices_named(
    connection: AsyncConnection[Any], reach: Reach, names: Collection[str], company_id: str
) -> list[NamedDevice]:
    """Return the devices with these names or ids, and all devices of the company."""
    async with connection.cursor(row_factory=class_row(NamedDevice)) as cursor:
        wanted = [*names, *(name.lower() for name in names)]
        values = {"names": wanted, "company": company_id, "companies": reach.within("")}
        await cursor.execute(DEVICES.format(within=reach.condition("company_id")), values)
        return await cursor.fetchall()

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


class _SaidAccount(NamedAccount, frozen=True, kw_only=True):
    said: str


class _SaidDevice(NamedDevice, frozen=True, kw_only=True):
    said: str


# A name is the same in whatever way its letters are encoded and spaced; like `values.name_key`.
KEY = r"lower(btrim(regexp_replace(normalize({}, NFKC), '\s+', ' ', 'g')))"
SAID = f"""
with said as materialized (
  select said, {KEY.format("said")} as key from unnest(%(names)s::text[]) said)"""
ACCOUNTS = f"""{SAID},
known as (
  select account, name, company_id, currency, own_wallet, state from accounts where {{within}})
select said, known.* from said join known on {KEY.format("name")} = key
union select said, known.* from said join known on account = said"""
DEVICES = f"""{SAID},
known as (select device_id, name, company_id from devices where {{within}})
select said, known.* from said join known on {KEY.format("name")} = key
union select said, known.* from said join known on device_id = said
union select '', known.* from known where company_id = %(company)s"""


# The present account of each extension or trunk of some devices, without those of the company.
HOLDERS = """
select l.device_id, l.line, l.account, coalesce(a.name, l.account) from (
  select distinct on (device_id, line) device_id, line, account from account_lines
  where kind = %s and tenant = '' and device_id = any(%s)
  order by device_id, line, given_at desc) l
left join accounts a on a.account = l.account where l.account <> ''"""
Holders = dict[tuple[str, str], tuple[str, str]]  # device, number -> account and its name


async def holders_of(
    connection: AsyncConnection[Any], kind: str, devices: Collection[str]
) -> Holders:
    """Return whose the extensions ("extension") or trunks ("trunk") of some devices are."""
    cursor = await connection.execute(HOLDERS, (kind, [*devices]))
    return {(row[0], row[1]): (row[2], row[3]) for row in await cursor.fetchall()}


async def accounts_named(
    connection: AsyncConnection[Any], reach: Reach, names: Collection[str]
) -> dict[str, list[NamedAccount]]:
    """Return the accounts with each of these names or ids, by what was given."""
    async with connection.cursor(row_factory=class_row(_SaidAccount)) as cursor:
        values = {"names": [*names], "companies": reach.within("")}
        await cursor.execute(ACCOUNTS.format(within=reach.condition("company_id")), values)
        found: dict[str, list[NamedAccount]] = {}
        for each in await cursor.fetchall():
            found.setdefault(each.said, []).append(each)
        return found


async def devices_named(
    connection: AsyncConnection[Any], reach: Reach, names: Collection[str], company_id: str
) -> dict[str, list[NamedDevice]]:
    """Return the devices with each of these names or ids; all of the company for ""."""
    async with connection.cursor(row_factory=class_row(_SaidDevice)) as cursor:
        wanted = [name for name in names if name]
        values = {"names": wanted, "company": company_id, "companies": reach.within("")}
        await cursor.execute(DEVICES.format(within=reach.condition("company_id")), values)
        found: dict[str, list[NamedDevice]] = {}
        for each in await cursor.fetchall():
            found.setdefault(each.said, []).append(each)
        return found

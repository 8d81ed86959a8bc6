"""Names of what ids stand for, and choices for the fields of forms."""

from collections.abc import Collection
from typing import Any

from psycopg import AsyncConnection, Connection

from billing.queries.reach import Reach

MOST = 1_000  # choices in a field without a search

ACCOUNTS = "select account, name from accounts where account = any(%(accounts)s) and {within}"
EVERY_ACTOR = """
select 'device:' || device_id, name from devices
union all select 'administrator:' || administrator_id, name from administrators"""
STREAMS = """
select account, name from accounts where account = any(%(streams)s)
union all
select 'device:' || device_id, name from devices where device_id = any(%(device)s)
union all
select 'administrator:' || administrator_id, name from administrators
where administrator_id = any(%(administrator)s)
union all
select 'rate-group:' || group_id, name from rate_groups where group_id = any(%(rate-group)s)
union all
select 'token:' || token_id, name from api_tokens where token_id = any(%(token)s)"""
KINDS = ("device", "administrator", "rate-group", "token")
DEVICE = "select name from devices where device_id = %s"
COMPANY_CHOICES = """
select company_id, name from accounts where kind = 'company' and {within}
order by company_id = %(chosen)s desc, lower(name), company_id limit %(most)s"""
SUB_ACCOUNT_CHOICES = """
select account, name from accounts
where kind = %(kind)s and {within}
order by account = %(chosen)s desc, lower(name), account limit %(most)s"""
DEVICE_CHOICES = """
select device_id, name from devices where {within}
order by device_id = %(chosen)s desc, lower(name), device_id limit %(most)s"""
GROUP_CHOICES = f"""
select group_id, name from rate_groups where currency = %(currency)s and not deleted and (
  %(companies)s::text[] is null or group_id in (
    select group_id from rate_group_bindings where company_id = any(%(companies)s)))
order by lower(name) limit {MOST}"""
DEVICES_OF_COMPANY = f"""
select device_id, name from devices where company_id = %s order by lower(name) limit {MOST}"""
COUNTRIES = "select distinct country from devices where country <> '' order by 1"


async def account_names(
    connection: AsyncConnection[Any], reach: Reach, accounts: list[str]
) -> dict[str, str]:
    """Return the names of accounts, by account; accounts outside the reach are left out."""
    statement = ACCOUNTS.format(within=reach.condition("company_id"))
    values = {"accounts": accounts, "companies": reach.within("")}
    cursor = await connection.execute(statement, values)
    return dict(await cursor.fetchall())


async def stream_names(
    connection: AsyncConnection[Any], streams: Collection[str]
) -> dict[str, str]:
    """Return the names of what events name: accounts, devices, administrators, rate groups.

    Streams without a name are left out. API tokens are `token:…`.
    """
    cursor = await connection.execute(STREAMS, _by_kind(streams))
    return dict(await cursor.fetchall())


def read_stream_names(connection: Connection[Any], streams: Collection[str]) -> dict[str, str]:
    """Return the same, for work in a thread. Blocks."""
    return dict(connection.execute(STREAMS, _by_kind(streams)).fetchall())


def _by_kind(streams: Collection[str]) -> dict[str, list[str]]:
    ids: dict[str, list[str]] = {"streams": list(streams), **{kind: [] for kind in KINDS}}
    for stream in streams:
        kind, _, own_id = stream.partition(":")
        if kind in KINDS:
            ids[kind].append(own_id)
    return ids


async def every_actor(connection: AsyncConnection[Any]) -> dict[str, str]:
    """Return the names of all devices and administrators, for a list that is read page by page."""
    return dict(await (await connection.execute(EVERY_ACTOR)).fetchall())


async def device_name(connection: AsyncConnection[Any], device_id: str) -> str:
    """Return the name of a device; its id if it is unknown."""
    cursor = await connection.execute(DEVICE, (device_id,))
    row = await cursor.fetchone()
    return str(row[0]) if row else device_id


async def company_choices(
    connection: AsyncConnection[Any], reach: Reach, chosen: str, most: int = 500
) -> list[tuple[str, str]]:
    """Return ids and names of companies to choose from, by name; always with the chosen one."""
    statement = COMPANY_CHOICES.format(within=reach.condition("company_id"))
    values = {"chosen": chosen, "most": most, "companies": reach.within("")}
    return await _choices(connection, statement, values)


async def sub_account_choices(
    connection: AsyncConnection[Any],
    reach: Reach,
    kind: str,
    company_id: str,
    chosen: str,
    *,
    most: int = 500,
) -> list[tuple[str, str]]:
    """Return user or gateway accounts to choose from, by name; "" as company means all."""
    statement = SUB_ACCOUNT_CHOICES.format(within=reach.condition("company_id", company_id))
    companies = reach.within(company_id)
    values = {"kind": kind, "companies": companies, "chosen": chosen, "most": most}
    return await _choices(connection, statement, values)


async def device_choices(
    connection: AsyncConnection[Any], reach: Reach, chosen: str, most: int = 500
) -> list[tuple[str, str]]:
    """Return ids and names of devices to choose from, by name; always with the chosen one."""
    statement = DEVICE_CHOICES.format(within=reach.condition("company_id"))
    values = {"chosen": chosen, "most": most, "companies": reach.within("")}
    return await _choices(connection, statement, values)


async def _choices(
    connection: AsyncConnection[Any], statement: str, values: dict[str, Any]
) -> list[tuple[str, str]]:
    cursor = await connection.execute(statement, values)
    return sorted(await cursor.fetchall(), key=lambda row: str(row[1]).casefold())


async def rate_groups_in(
    connection: AsyncConnection[Any], reach: Reach, currency: str
) -> list[tuple[str, str]]:
    """Return the rate groups of a currency, by name; for a limited reader those it was assigned."""
    values = {"currency": currency, "companies": reach.within("")}
    cursor = await connection.execute(GROUP_CHOICES, values)
    return await cursor.fetchall()


async def devices_of(connection: AsyncConnection[Any], company_id: str) -> list[tuple[str, str]]:
    """Return the devices of a company, by name; a hosted device is of the company that runs it."""
    cursor = await connection.execute(DEVICES_OF_COMPANY, (company_id,))
    return await cursor.fetchall()


async def countries_of_devices(connection: AsyncConnection[Any]) -> list[str]:
    """Return the countries of the devices, as codes of two letters."""
    cursor = await connection.execute(COUNTRIES)
    return [country for (country,) in await cursor.fetchall()]

"""Every list of the pages: its pages of any size, forwards and backwards, are the whole list."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import AsyncConnection

from billing.periods import last_days
from billing.queries import (
    accounts,
    administrators,
    calls,
    companies,
    device,
    devices,
    extensions,
    money,
    number_plan,
    operations,
    prices,
    rate_groups,
    sign_ins,
    sub_accounts,
)
from billing.queries.call_filter import CallFilter
from billing.queries.paging import Page, Place, decode_place
from billing.queries.reach import EVERYTHING, Reach
from tests.web.serving import COMPANIES, ZONE, add_administrator, install

NOW = datetime.now(ZoneInfo(ZONE))
PERIOD: dict[str, Any] = {"period": last_days(NOW.date(), 30), "zone": ZoneInfo(ZONE)}
# More rows of what the installation has few of; repeated names, so that the id decides.
MORE = """
insert into rate_groups (group_id, name, currency, changed_at)
 select 'g' || n, 'Group ' || n / 3, 'EUR', now() from generate_series(1, 8) n;
insert into accounts
 select 'user:' || n, 'user', 'clinica', 'Name ' || n / 3, 'EUR', true, 'open', 'UTC', '',
  'prepaid', now() from generate_series(1, 8) n;
insert into device_extensions (device_id, tenant, extension, account, name)
 select 'clinica-pbx', 't' || n % 3, n::text, '', '' from generate_series(1, 8) n;
insert into submissions
 (at, device_id, account, address, status, bytes, accepted, duplicate, conflict, suspended, detail)
 select now(), 'clinica-pbx', '', '', 200, 1, 1, 0, 0, 0, '' from generate_series(1, 8) n;
insert into sign_ins (at, kind, reason, sign_in_name, administrator_id, address, browser)
 select now(), 'refused', '', 'eve', '', '', '' from generate_series(1, 8) n;
insert into plan_entries
 select 'number-plan:seed', '34' || n / 3, 'ES', false, now() - n % 3 * interval '1 day',
  'Area ' || n, 'landline', 9, 9, now(), 'system' from generate_series(1, 8) n;
insert into prices
 select g, 'p:34' || n, now() - interval '1 day', n, 'set', true, 'Area ' || n, 1, 60, g, now(),
  'system', '' from generate_series(1, 8) n, unnest(array['g1', 'g2']) g
"""
List = Callable[[AsyncConnection[Any], Place | None, int], Awaitable[Page[Any]]]


def of(function: Callable[..., Awaitable[Page[Any]]], *wanted: Any, **more: Any) -> List:
    """A list with its filter."""
    return lambda connection, place, size: function(connection, *wanted, place, size, **more)


async def list_extensions(*given: Any) -> Page[Any]:
    return await extensions.list_extensions(*given[:-1], size=given[-1])


LISTS: dict[str, tuple[Any, List]] = {
    "accounts": (
        accounts.KEY_TYPE,
        of(accounts.list_accounts, accounts.AccountsFilter(reach=EVERYTHING)),
    ),
    "administrators": (tuple[str], of(administrators.list_administrators, "")),
    "calls": (calls.key_type(), of(calls.list_calls, CallFilter(reach=EVERYTHING, **PERIOD))),
    "calls of two companies": (
        calls.key_type(),
        of(calls.list_calls, CallFilter(reach=Reach(("clinica", "hoteles")), **PERIOD)),
    ),
    "calls of few digits": (
        calls.key_type(),
        of(calls.list_calls, CallFilter(reach=EVERYTHING, text="112", match="begins", **PERIOD)),
    ),
    "companies": (
        companies.KEY_TYPE,
        of(companies.list_companies, companies.CompanyFilter(reach=EVERYTHING)),
    ),
    "devices": (devices.KEY_TYPE, of(devices.list_devices, devices.DeviceFilter(reach=EVERYTHING))),
    "extensions": (tuple[str, str], of(list_extensions, EVERYTHING, "clinica-pbx", "")),
    "groups": (tuple[str, str], of(rate_groups.list_groups, "")),
    "movements": (
        tuple[int],
        of(money.list_movements, money.MovementFilter(reach=EVERYTHING, **PERIOD)),
    ),
    "number plan": (number_plan.KEY_TYPE, of(number_plan.list_entries, number_plan.PlanFilter())),
    "operations": (
        operations.KEY_TYPE,
        of(operations.list_operations, operations.OperationFilter(reach=EVERYTHING, **PERIOD)),
    ),
    "prices": (
        tuple[str],
        of(prices.list_prices, prices.PriceFilter(group_id="g1", at=NOW + timedelta(hours=1))),
    ),
    "prices compared": (
        tuple[str],
        of(prices.compare_groups, ("g1", "g2"), NOW + timedelta(hours=1), different=False),
    ),
    "sign-ins": (
        tuple[int],
        of(sign_ins.list_sign_ins, sign_ins.SignInFilter(**PERIOD)),
    ),
    "sub-accounts": (
        tuple[str, str],
        of(
            sub_accounts.list_sub_accounts,
            sub_accounts.SubAccountFilter(kind="user", reach=EVERYTHING),
        ),
    ),
    "submissions": (tuple[int], of(device.submissions_before, "clinica-pbx")),
}


@pytest.fixture
def installation(database_url: str) -> str:
    """A database with some of everything that is listed."""
    install(database_url, calls=40)
    for name in ("marta", "luis", "eva", "ana"):
        add_administrator(database_url, name)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(MORE)
    return database_url


async def walk(connection: AsyncConnection[Any], name: str, size: int) -> list[Any]:
    """Every row, page after page to the end; the way back finds the same pages."""
    key_type, listed = LISTS[name]
    pages, after = list[Page[Any]](), ""
    while not pages or (after := pages[-1].after):
        pages.append(await listed(connection, decode_place(after, "", key_type), size))
    assert all(len(page.rows) == size for page in pages[:-1])
    for page, before in zip(pages[:0:-1], pages[-2::-1], strict=True):
        back = await listed(connection, decode_place("", page.before, key_type), size)
        assert back.rows == before.rows
        assert bool(back.before) == (before is not pages[0])
    return [row for page in pages for row in page.rows]


def test_every_list_is_the_same_in_pages_of_any_size(installation: str) -> None:
    async def compare() -> None:
        connection = await AsyncConnection.connect(installation, autocommit=True)
        async with connection:
            for name in LISTS:
                whole = await walk(connection, name, 1_000)
                assert len(whole) >= len(COMPANIES), name
                for size in (1, 2, 3, len(whole)):
                    assert await walk(connection, name, size) == whole, (name, size)

    asyncio.run(compare())

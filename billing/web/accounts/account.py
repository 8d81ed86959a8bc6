"""The page of one account of any kind: its state, its movements, and what belongs to it."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from sanic import Blueprint, Request
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse

from billing.queries import money, sub_accounts
from billing.queries.names import stream_names
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.pages import page
from billing.web.kit.reach import reach_of
from billing.web.site import site_of

DAYS = 90  # in the chart of the balance
RECENT = 8  # movements shown
blueprint = Blueprint("account_page")


class Chart(msgspec.Struct, frozen=True):
    """A balance as a line in a square of 100 by 100, y downwards, with the labels of its axes."""

    line: str
    area: str
    zero: float
    most_micros: int
    least_micros: int


async def view_of(request: Request[Any, Any], account: str) -> money.AccountView:
    """Return the account that a URL names; raises NotFound."""
    async with site_of(request).pool.connection() as connection:
        found = await money.view_account(connection, account)
    if found is None or not reach_of(request).holds(found.company_id):
        raise NotFound
    return found


@blueprint.get("/accounts/<account:str>", unquote=True)
@admits(*EVERY_ROLE, limited=True)
async def show_account(request: Request[Any, Any], account: str) -> HTTPResponse:
    """Show the present state of an account."""
    site = site_of(request)
    view = await view_of(request, account)
    today = datetime.now(UTC).astimezone(site.zone).date()
    wanted = money.MovementFilter(
        reach=reach_of(request), period=None, zone=site.zone, account=account
    )
    async with site.pool.connection() as connection:
        days = await money.balance_by_day(connection, account, today, DAYS, view.balance_micros)
        moved = await money.list_movements(connection, wanted, None, RECENT)
        statements = await money.statements_of(connection, account)
        bound = await money.bindings_of(connection, view.own_id) if view.kind == "company" else []
        lines = await sub_accounts.lines_of(connection, account)
        pins = await sub_accounts.pins_of(connection, account)
        actors = {row.actor for row in moved.rows} | {each.actor for each in bound}
        names = await stream_names(connection, actors)
    return page(
        request,
        "accounts/account.html",
        page=PAGE_OF[view.kind],
        view=view,
        days=days,
        chart=draw(days),
        moved=moved,
        statements=statements[:RECENT],
        bound=bound,
        lines=lines,
        pins=pins,
        names=names,
    )


PAGE_OF = {"company": "companies", "user": "user-accounts", "gateway": "gateway-accounts"}


def draw(days: list[money.DayBalance]) -> Chart:
    """Return the chart of a balance by day."""
    balances = [day.balance_micros for day in days]
    most, least = max(*balances, 0), min(*balances, 0)
    span = (most - least) or 1
    wide = (len(days) - 1) or 1
    points = [
        (round(100 * place / wide, 2), round(100 - 100 * (balance - least) / span, 2))
        for place, balance in enumerate(balances)
    ]
    zero = round(100 + 100 * least / span, 2)
    line = " ".join(f"{x},{y}" for x, y in points)
    return Chart(line, f"0,{zero} {line} 100,{zero}", zero, most, least)

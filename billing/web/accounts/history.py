"""The history of an account for auditors: its events, and its state at any moment."""

import asyncio
from datetime import UTC, datetime, time, timedelta
from typing import Any

import msgspec
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.aggregates.account import Account
from billing.commands.accounts import evolve_of
from billing.commands.deciding import fold
from billing.queries import history, money
from billing.queries.history import Moment, Start
from billing.queries.names import stream_names
from billing.queries.paging import encode_key
from billing.values import Refused
from billing.web.accounts.account import PAGE_OF, view_of
from billing.web.kit import words
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.filters import choice, read_listing
from billing.web.kit.forms import Form
from billing.web.kit.lists import PAGE_SIZE
from billing.web.kit.pages import page_or_part
from billing.web.kit.telling import mentioned
from billing.web.site import Site, site_of

KEY_TYPE = tuple[int, int]  # log position, balance before it
blueprint = Blueprint("history")


@blueprint.get("/accounts/<account:str>/history", unquote=True)
@admits(*EVERY_ROLE, limited=True)
async def show_history(request: Request[Any, Any], account: str) -> HTTPResponse:
    """Show the events of an account, newest first, with the balance after each."""
    site, view = site_of(request), await view_of(request, account)
    listing = read_listing(request, ("kind",), KEY_TYPE)
    kind = choice(listing.given, "kind", words.HISTORY_KINDS)
    start = Start(*listing.place.key) if listing.place else None
    found = await asyncio.to_thread(_read, site, account, kind, start)
    older = encode_key(msgspec.structs.astuple(found.older)) if found.older else ""
    async with site.pool.connection() as connection:
        recorded = [entry.recorded for entry in found.entries]
        names = await stream_names(connection, mentioned(recorded))
    today = datetime.now(UTC).astimezone(site.zone).date()
    opened = view.opened_at.astimezone(site.zone).date()
    return page_or_part(
        request,
        "accounts/history.html",
        "accounts/_history_results.html",
        page=PAGE_OF[view.kind],
        view=view,
        kind=kind,
        given=listing.given,
        entries=found.entries,
        older=older,
        names=names,
        newest=start is None,
        days=(today - opened).days,
        moment_shown=None,
        path=f"/accounts/{account}/history",
    )


def _read(site: Site, account: str, kind: str, start: Start | None) -> history.HistoryPage:
    with site.connect() as connection:
        return history.read_history(
            connection, site.store, account, kind=kind, start=start, size=PAGE_SIZE
        )


@blueprint.get("/accounts/<account:str>/moment", unquote=True)
@admits(*EVERY_ROLE, limited=True)
async def show_moment(request: Request[Any, Any], account: str) -> HTTPResponse:
    """Show the balance, the state and the rate group of an account at a moment."""
    site, view = site_of(request), await view_of(request, account)
    form = Form({name: str(request.args.get(name, "")) for name in ("at", "days")})
    at = form.moment("at", site.zone)
    if at is None:
        at = _end_of_day(view, form.whole("days", most=100_000), site)
    if form.errors:
        raise Refused("Enter a valid date and time.")
    at = min(at, datetime.now(UTC))
    moment = await asyncio.to_thread(_moment, site, account, at)
    state: Account | None = fold(evolve_of(account), moment.events)
    async with site.pool.connection() as connection:
        bound = await money.bindings_of(connection, view.own_id) if view.kind == "company" else []
    said = [each for each in bound if each.recorded_at <= at]
    return page_or_part(
        request,
        "accounts/moment.html",
        "accounts/_moment.html",
        page=PAGE_OF[view.kind],
        view=view,
        at=at,
        moment_shown=moment,
        state=state,
        group=group_at(said, at),
    )


def _end_of_day(view: money.AccountView, days: int, site: Site) -> datetime:
    """Return the last instant of the day that is `days` after the account was opened."""
    opened = view.opened_at.astimezone(site.zone).date()
    begin = datetime.combine(opened + timedelta(days=days + 1), time(), site.zone)
    return begin.astimezone(UTC) - timedelta(microseconds=1)


def _moment(site: Site, account: str, at: datetime) -> Moment:
    with site.connect() as connection:
        return history.read_moment(connection, site.store, account, at)


def group_at(bound: list[money.Binding], at: datetime) -> str:
    """Return the rate group that was assigned at a moment; "" without one."""
    name, since = "", None
    for each in bound:
        if each.valid_from is None:
            name = name if since else each.name
        elif each.valid_from <= at and (since is None or each.valid_from >= since):
            name, since = each.name, each.valid_from
    return name

"""The lists of rate groups as files: the groups, two side by side, the history of a price."""

from collections.abc import Awaitable
from datetime import datetime
from decimal import Decimal
from typing import Any

from sanic import Blueprint, Request

from billing.queries import prices, rate_groups
from billing.queries.names import actor_names
from billing.queries.paging import Page, Place
from billing.values import MICROS
from billing.web.files.facts import facts_of
from billing.web.files.lists import Answer, Exported, all_pages, at_once, send_list
from billing.web.files.xlsx import Column
from billing.web.kit import words
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.filters import read_listing
from billing.web.kit.i18n import gettext
from billing.web.rates.rate_groups import find_group, moment_asked
from billing.web.site import site_of

AT_ONCE = 2_000  # rows read at a time
SECONDS = 60  # of a price that says nothing else
blueprint = Blueprint("price_exports")
Row = list[Any]


@blueprint.get("/rate-groups/export.csv", name="groups_csv")
@blueprint.get("/rate-groups/export.xlsx", name="groups_excel")
@admits(*EVERY_ROLE)
async def export_groups(request: Request[Any, Any]) -> Answer:
    """The groups of the filter."""
    given = read_listing(request, ("q",), rate_groups.KEY_TYPE).given

    def read(connection: Any, place: Place | None) -> Awaitable[Page[Any]]:
        return rate_groups.list_groups(connection, given.get("q", ""), place, AT_ONCE)

    def row_of(row: rate_groups.GroupRow) -> Row:
        return [row.name, row.currency, row.prices, row.planned, row.companies, row.changed_at]

    exported = Exported(
        title=gettext("Rate groups"),
        columns=[
            Column(gettext("Rate group"), width=30),
            Column(gettext("Currency"), width=10),
            Column(gettext("Prices"), "count", sum=True),
            Column(gettext("Planned"), "count", sum=True),
            Column(gettext("Companies"), "count", sum=True),
            Column(gettext("Changed"), "time", 24),
        ],
        pages=all_pages(site_of(request), read, rate_groups.KEY_TYPE, row_of),
        facts=await facts_of(request, given),
    )
    return await send_list(request, exported)


@blueprint.get("/rate-groups/compare/export.csv", name="compare_csv")
@blueprint.get("/rate-groups/compare/export.xlsx", name="compare_excel")
@admits(*EVERY_ROLE)
async def export_comparison(request: Request[Any, Any]) -> Answer:
    """The prices of two groups side by side."""
    listing = read_listing(request, ("one", "other", "all", "on"), prices.KEY_TYPE)
    given, at = listing.given, moment_asked(request, listing)
    chosen = (given.get("one", ""), given.get("other", ""))

    def read(connection: Any, place: Place | None) -> Awaitable[Page[Any]]:
        different = "all" not in given
        return prices.compare_groups(connection, chosen, at, place, AT_ONCE, different=different)

    one, other = [(await find_group(request, each)) if each else None for each in chosen]
    names = [each.name if each else "" for each in (one, other)]
    exported = Exported(
        title=gettext("Compare rate groups"),
        columns=[
            Column(gettext("Prefix"), width=18),
            Column(gettext("Name"), width=30),
            Column(names[0], "exact"),
            Column(gettext("Seconds of the price"), "count"),
            Column(names[1], "exact"),
            Column(gettext("Seconds of the price"), "count"),
        ],
        pages=all_pages(site_of(request), read, prices.KEY_TYPE, _compared_row),
        facts=await facts_of(request, given),
    )
    return await send_list(request, exported)


def _compared_row(row: prices.Compared) -> Row:
    sides = ((row.one, row.one_unit), (row.other, row.other_unit))
    cells = [cell for price, unit in sides for cell in (_micros(price), unit)]
    return [_target(row.target), row.name, *cells]


@blueprint.get("/rate-groups/<group_id:str>/history/export.csv", name="history_csv")
@blueprint.get("/rate-groups/<group_id:str>/history/export.xlsx", name="history_excel")
@admits(*EVERY_ROLE)
async def export_history(request: Request[Any, Any], group_id: str) -> Answer:
    """Every price ever set for one target, and who set it."""
    given = read_listing(request, ("target",), prices.KEY_TYPE).given
    group, target = await find_group(request, group_id), given.get("target", "")
    async with site_of(request).pool.connection() as connection:
        versions = await prices.history_of(connection, group_id, target)
        actors = await actor_names(connection, [each.actor for each in versions])

    def row_of(each: prices.VersionRow) -> Row:
        since: datetime | None = prices.moment_of(each)
        set_by = actors.get(each.actor, each.actor)
        price = [_micros(each.price), each.unit_s if each.price is not None else None]
        standing = gettext("yes") if each.standing else gettext("no")
        return [since, each.name, *price, standing, each.recorded_at, set_by, each.source]

    exported = Exported(
        title=gettext("History"),
        columns=[
            Column(gettext("Valid from"), "time", 24),
            Column(gettext("Name"), width=30),
            Column(gettext("Price"), "exact"),
            Column(gettext("Seconds of the price"), "count"),
            Column(gettext("Stands"), width=10),
            Column(gettext("Recorded"), "time", 24),
            Column(gettext("By"), width=24),
            Column(gettext("Source"), width=24),
        ],
        pages=at_once([row_of(each) for each in versions]),
        facts=[
            (gettext("Rate group"), group.name),
            (gettext("Prefix"), _target(target)),
            *await facts_of(request, {}),
        ],
    )
    return await send_list(request, exported)


def _micros(price: Decimal | None) -> int | None:
    return None if price is None else int(price * MICROS)


def _target(target: str) -> str:
    """What a price is for: a prefix, an area, a class in words."""
    kind, value = target[:1], target[2:]
    return words.word(words.RATE_CLASSES, value) if kind == "c" else value

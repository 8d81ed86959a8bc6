"""The statistics pages: usage of companies, user accounts and gateway accounts."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.log.positions import shown_async
from billing.queries import statistics as reading
from billing.queries.names import company_choices, sub_account_choices
from billing.queries.snapshot import snapshot
from billing.web.kit import words
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.charts import MEASURES, Measure, shade
from billing.web.kit.filters import presets, read_listing
from billing.web.kit.pages import is_partial, page
from billing.web.kit.reach import reach_of
from billing.web.site import site_of
from billing.web.statistics import view as views

BARS = 10  # accounts in the chart; the table has more
AREAS = 15  # destinations on the page; the export has all
blueprint = Blueprint("statistics")


class Found(msgspec.Struct, kw_only=True):
    """Everything on one page, read at one position of the log."""

    position: int
    currency: str
    total: reading.Split
    before: reading.Split
    periods: list[views.Bucket]
    weekdays: dict[tuple[int, int], reading.Split]
    areas: list[tuple[str, reading.Figures]]
    ranking: reading.Ranking | None
    rest: reading.Split


async def find(connection: AsyncConnection[Any], view: views.View, *, top: int) -> Found:
    """Read the figures of a page; `top` is the number of accounts in its ranking."""
    wanted = view.wanted
    async with snapshot(connection):
        periods = await reading.by_period(connection, wanted, view.grain)
        total = views.total_of(periods)
        currency = views.main_currency(total.total, view.currency)
        measure = view.measure
        areas = await reading.by_area(connection, wanted)
        found = Found(
            position=await shown_async(connection, "usage"),
            currency=currency,
            total=total,
            before=views.total_of(await reading.by_period(connection, view.before, "month")),
            periods=views.buckets(view, periods),
            weekdays=await reading.by_weekday(connection, wanted),
            areas=sorted(
                ((area, split.total) for area, split in areas.items()),
                key=lambda pair: (-pair[1].measure(measure, currency), pair[0]),
            ),
            ranking=None,
            rest=reading.Split(),
        )
        if wanted.ranked:
            ranking = await reading.by_account(connection, wanted, measure, currency, top)
            found.ranking, found.rest = ranking, views.rest_of(total, ranking)
    return found


@blueprint.get("/statistics")
@admits(*EVERY_ROLE, limited=True)
async def show_statistics(request: Request[Any, Any]) -> HTTPResponse:
    """Show the usage in a period: by account, class, time and destination."""
    site = site_of(request)
    given = read_listing(request, views.NAMES, tuple[str]).given
    view = views.read_view(given, site.zone, reach_of(request))
    wanted, partial = view.wanted, is_partial(request)
    async with site.pool.connection() as connection:
        found = await find(connection, view, top=reading.TOP)
        companies = await company_choices(connection, wanted.reach, wanted.company_id)
        subs = []
        if wanted.kind != "company":
            subs = await sub_account_choices(
                connection, wanted.reach, wanted.kind, wanted.company_id, wanted.account
            )
    today = datetime.now(UTC).astimezone(site.zone).date()
    measure = Measure(view.measure, found.currency)
    return page(
        request,
        "statistics/_statistics_results.html" if partial else "statistics/statistics.html",
        page="statistics",
        path="/statistics",
        view=view,
        wanted=wanted,
        given=given,
        found=found,
        measure=measure,
        classes=views.classes_of(found.total),
        link=views.calls_link(view),
        views=views,
        heat=_heat(found, view),
        bars_most=BARS,
        areas_most=AREAS,
        companies=companies,
        subs=subs,
        kinds=words.choices(views.KINDS),
        grains=words.choices(views.GRAINS),
        measures=words.choices(MEASURES),
        weekdays=words.choices(words.WEEKDAYS),
        amounts_of=views.amounts_of,
        today=today,
        presets=presets(today),
    )


def _heat(found: Found, view: views.View) -> dict[tuple[int, int], tuple[int, int]]:
    """Return the value and the shade of each hour of the week."""
    values = {
        key: split.total.measure(view.measure, found.currency)
        for key, split in found.weekdays.items()
    }
    top = max(values.values(), default=0)
    return {key: (value, shade(value, top)) for key, value in values.items()}

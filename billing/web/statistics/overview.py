"""The overview: the first page after sign-in."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.log.positions import shown_async
from billing.periods import Period, last_days
from billing.queries import overview as reading
from billing.queries import statistics
from billing.queries.snapshot import snapshot
from billing.queries.statistics import StatisticsFilter
from billing.queries.suspended import waiting_by_reason
from billing.queries.system import silent_devices
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.charts import Measure
from billing.web.kit.pages import page
from billing.web.kit.reach import reach_of
from billing.web.site import site_of
from billing.web.statistics import view as views

CHART_DAYS = 30
blueprint = Blueprint("overview")


@blueprint.get("/")
@admits(*EVERY_ROLE, limited=True)
async def show_overview(request: Request[Any, Any]) -> HTTPResponse:
    """Show today, this month, and what needs attention."""
    site, now, reach = site_of(request), datetime.now(UTC), reach_of(request)
    today = now.astimezone(site.zone).date()
    period = last_days(today, CHART_DAYS)
    chart = StatisticsFilter(reach=reach, kind="company", period=period, zone=site.zone)
    month = msgspec.structs.replace(chart, period=Period(today.replace(day=1), today))
    view = views.View(wanted=chart, grain="day", measure="calls")
    async with site.pool.connection() as connection, snapshot(connection):
        position = await shown_async(connection, "usage")
        days = await statistics.by_period(connection, chart, "day")
        months = await statistics.by_period(connection, month, "month")
        endangered = await reading.endangered_balances(connection, reach)
        waiting = await waiting_by_reason(connection, reach)
        silent = await silent_devices(connection, reach, now)
        submissions = await reading.last_submissions(connection, reach)
    shown = views.total_of(days)
    return page(
        request,
        "statistics/overview.html",
        page="overview",
        position=position,
        today=today,
        day=days.get((today, 0), statistics.Split()).total,
        month=views.total_of(months).total,
        month_first=month.period.first,
        amounts_of=views.amounts_of,
        periods=views.buckets(view, days),
        classes=views.classes_of(shown),
        measure=Measure("calls", ""),
        endangered=endangered,
        waiting=waiting,
        silent=silent,
        submissions=submissions,
    )

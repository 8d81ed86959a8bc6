"""The overview: where everybody begins after signing in."""

from datetime import UTC, datetime
from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.projections.reading import overview as reading
from billing.projections.reading import statistics
from billing.projections.reading.calls import last_days
from billing.projections.reading.statistics import Asked
from billing.projections.reading.suspended import waiting_by_reason
from billing.projections.reading.system import silent_devices
from billing.values import Period
from billing.web import statistics_view as views
from billing.web.access import EVERY_ROLE, admits
from billing.web.charts import Measure
from billing.web.pages import page
from billing.web.site import site_of

CHART_DAYS = 30
blueprint = Blueprint("overview")


@blueprint.get("/")
@admits(*EVERY_ROLE)
async def show_overview(request: Request[Any, Any]) -> HTTPResponse:
    """Today, this month, and what somebody should look at."""
    site, now = site_of(request), datetime.now(UTC)
    today = now.astimezone(site.zone).date()
    month = Asked(kind="company", period=Period(today.replace(day=1), today), zone=site.zone)
    chart = Asked(kind="company", period=last_days(today, CHART_DAYS), zone=site.zone)
    view = views.View(asked=chart, grain="day", measure="calls")
    async with site.pool.connection() as connection:
        position = await statistics.position_of(connection)
        days = await statistics.by_period(connection, chart, "day")
        months = await statistics.by_period(connection, month, "month")
        endangered = await reading.endangered_balances(connection)
        waiting = await waiting_by_reason(connection)
        silent = await silent_devices(connection, now)
        submissions = await reading.last_submissions(connection)
    shown = views.total_of(days)
    return page(
        request,
        "overview.html",
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

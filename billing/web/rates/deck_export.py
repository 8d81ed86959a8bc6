"""The prices of a rate group as a deck: a sheet that can be imported again."""

from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sanic import Blueprint, Request
from sanic.exceptions import NotFound

from billing.decks.further import written
from billing.queries import prices
from billing.rating.rates import Rate
from billing.web.files.delivery import Answer, deliver
from billing.web.files.facts import facts_of
from billing.web.files.lists import Field, cells_of, columns_of
from billing.web.files.tables import Sheet, write_csv, write_workbook
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.i18n import gettext, language
from billing.web.rates.rate_groups import find_group
from billing.web.services.export_jobs import Job, counted, in_thread
from billing.web.site import site_of

blueprint = Blueprint("deck_export")


@blueprint.get("/rate-groups/<group_id:str>/export/<kind:str>")
@admits(*EVERY_ROLE)
async def export(request: Request[Any, Any], group_id: str, kind: str) -> Answer:
    """Send the prices that are valid now."""
    if kind not in ("xlsx", "csv"):
        raise NotFound
    site, group = site_of(request), await find_group(request, group_id)
    fields, name = export_fields(site.zone, language()), f"{group.name}.{kind}"
    columns, now = columns_of(fields), datetime.now(UTC)
    facts = [(gettext("Rate group"), group.name), *await facts_of(request, {})]

    def write(job: Job) -> None:
        with site.connect_background() as connection:
            rates = counted(job, prices.all_prices(connection, group_id, now))
            rows = (cells_of(fields, rate) for rate in rates)
            if kind == "csv":
                write_csv(job.file, columns, rows, site.zone)
            else:
                sheet = Sheet(gettext("Prices"), columns, rows)
                write_workbook(job.file, [sheet], facts, site.zone)

    return await deliver(request, name, in_thread(write), group.prices)


def export_fields(zone: ZoneInfo, spoken: str) -> list[Field[Rate]]:
    def said(price: str) -> str:
        return price.replace(".", ",") if spoken == "es" else price

    def since(rate: Rate) -> str:
        day = rate.effective_from
        if day is None:
            return ""
        local = day.astimezone(zone)
        return (local.date() if local.time() == time() else local).isoformat()

    return [
        Field(gettext("Prefix"), lambda rate: rate.prefix, width=20),
        Field(gettext("Name"), lambda rate: rate.name, width=20),
        Field(
            gettext("Price"),
            lambda rate: said(rate.tiers[0].price if rate.tiers else ""),
            width=20,
        ),
        Field(gettext("Increments"), _increments, width=20),
        Field(gettext("Connect fee"), lambda rate: said(rate.connect_fee), width=20),
        Field(gettext("Valid from"), since, width=20),
        Field(gettext("Minimum charge per call"), lambda rate: said(rate.min_cost), width=20),
        Field(gettext("Seconds of the price"), _unit),
        Field(gettext("Class of call"), lambda rate: rate.call_class),
        Field(gettext("Area of the price"), lambda rate: rate.area, width=20),
        Field(gettext("Further terms"), written, width=20, own=True),
    ]


def _increments(rate: Rate) -> str:
    return "/".join(str(tier.increment_s) for tier in (*rate.tiers, *rate.tiers)[:2])


def _unit(rate: Rate) -> str:
    return str(rate.tiers[0].unit_s) if rate.tiers else ""

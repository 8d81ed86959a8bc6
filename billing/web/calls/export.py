"""The calls of a filter as files: CSV; Excel with totals and a sheet for the filter."""

from functools import partial
from typing import Any

from sanic import Blueprint, Request

from billing.log.positions import shown_async
from billing.queries.call_filter import CallFilter
from billing.queries.call_totals import total_calls
from billing.queries.calls import export_calls
from billing.queries.names import account_names, device_name
from billing.queries.snapshot import snapshot
from billing.web.calls.files import CallCsv, CallWriter
from billing.web.calls.filters import describe, read_call_filter
from billing.web.files.delivery import Answer, deliver
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.i18n import gettext, language
from billing.web.services.export_jobs import Job, write_rows
from billing.web.site import site_of

blueprint = Blueprint("call_export")


def _file_name(wanted: CallFilter, ending: str) -> str:
    name = gettext("calls")
    return f"{name}_{wanted.period.first}_{wanted.period.last}.{ending}"


@blueprint.get("/calls/export.csv")
@admits(*EVERY_ROLE, limited=True, scope="calls")
async def export_csv(request: Request[Any, Any]) -> Answer:
    """Send every call of the filter as CSV."""
    site = site_of(request)
    wanted, _ = read_call_filter(request, site.zone)

    async def make(job: Job) -> None:
        async with await site.connect_background_async() as own:
            await write_rows(
                job, export_calls(own, wanted), partial(CallCsv, job.file, site.zone), []
            )

    return await deliver(request, _file_name(wanted, "csv"), make)


@blueprint.get("/calls/export.xlsx")
@admits(*EVERY_ROLE, limited=True, scope="calls")
async def export_excel(request: Request[Any, Any]) -> Answer:
    """Send every call of the filter as an Excel file; a large one has a page of its own."""
    site, said = site_of(request), language()
    wanted, _ = read_call_filter(request, site.zone)
    async with site.pool.connection() as connection:
        totals = await total_calls(connection, wanted)
        names = await account_names(
            connection,
            wanted.reach,
            [f"company:{wanted.company_id}", wanted.user_account, wanted.gateway_account],
        )
        names[f"device:{wanted.device_id}"] = await device_name(connection, wanted.device_id)
    described = describe(wanted, names)

    async def make(job: Job) -> None:
        writer = partial(CallWriter, job.file, site.zone, said)
        async with await site.connect_background_async() as own, snapshot(own):
            position = (gettext("Log position"), str(await shown_async(own)))
            await write_rows(job, export_calls(own, wanted), writer, [*described, position])

    expected = 0 if totals.more else totals.calls
    return await deliver(request, _file_name(wanted, "xlsx"), make, expected)

"""The routes of exports: CSV as a stream, Excel as a file that is waited for or fetched."""

from functools import partial
from typing import Any

from sanic import Blueprint, Request
from sanic.exceptions import NotFound
from sanic.response import BaseHTTPResponse, ResponseStream

from billing.log.positions import shown_async
from billing.queries.call_filter import CallFilter
from billing.queries.call_totals import total_calls
from billing.queries.calls import export_calls
from billing.queries.names import account_names, device_name
from billing.queries.snapshot import snapshot
from billing.web.calls.files import CallWriter, CsvWriter
from billing.web.calls.filters import describe, read_call_filter
from billing.web.files.delivery import deliver, send_job
from billing.web.files.tables import attachment
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.i18n import gettext, language
from billing.web.kit.pages import is_partial, page
from billing.web.kit.reach import owner_of
from billing.web.services.export_jobs import Job, write_rows
from billing.web.site import site_of

blueprint = Blueprint("exporting")


def _file_name(wanted: CallFilter, ending: str) -> str:
    name = gettext("calls")
    return f"{name}_{wanted.period.first}_{wanted.period.last}.{ending}"


@blueprint.get("/calls/export.csv")
@admits(*EVERY_ROLE, limited=True, scope="calls")
async def export_csv(request: Request[Any, Any]) -> None:
    """Every call of the filter as CSV, streamed while it is read."""
    site = site_of(request)
    wanted, _ = read_call_filter(request, site.zone)
    writer = CsvWriter(site.zone)
    response = await request.respond(
        content_type="text/csv; charset=utf-8", headers=attachment(_file_name(wanted, "csv"))
    )
    await response.send(writer.head())
    async with site.pool.connection() as connection:
        async for rows in export_calls(connection, wanted):
            await response.send(writer.rows(rows))
    await response.eof()


@blueprint.get("/calls/export.xlsx")
@admits(*EVERY_ROLE, limited=True, scope="calls")
async def export_excel(request: Request[Any, Any]) -> BaseHTTPResponse | ResponseStream:
    """Every call of the filter as an Excel file; a large one is fetched from its own page."""
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
        writer = partial(CallWriter, job.path, site.zone, said)
        async with site.pool.connection() as own, snapshot(own):
            position = (gettext("Log position"), str(await shown_async(own)))
            await write_rows(job, export_calls(own, wanted), writer, [*described, position])

    expected = 0 if totals.more else totals.calls
    return await deliver(request, _file_name(wanted, "xlsx"), make, expected)


@blueprint.get("/exports")
@admits(*EVERY_ROLE, limited=True)
async def list_exports(request: Request[Any, Any]) -> BaseHTTPResponse:
    """The files that were made for whoever asks, until they are removed."""
    jobs = site_of(request).exports.of(owner_of(request))
    return page(request, "files/exports.html", page="exports", jobs=jobs)


@blueprint.get("/exports/<job_id:str>")
@admits(*EVERY_ROLE, limited=True)
async def show_export(request: Request[Any, Any], job_id: str) -> BaseHTTPResponse:
    """How far an Excel file is, and where to fetch it."""
    template = "files/_export_state.html" if is_partial(request) else "files/export.html"
    return page(request, template, page="exports", job=_find(request, job_id), busy=False)


@blueprint.get("/exports/<job_id:str>/file")
@admits(*EVERY_ROLE, limited=True)
async def send_export(request: Request[Any, Any], job_id: str) -> ResponseStream:
    """The finished file."""
    job = _find(request, job_id)
    if job.state != "done":
        raise NotFound
    return await send_job(job)


def _find(request: Request[Any, Any], job_id: str) -> Job:
    job = site_of(request).exports.find(job_id, owner_of(request))
    if job is None:
        raise NotFound
    return job

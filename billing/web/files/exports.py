"""The pages of exported files: the progress of each, and its download."""

from typing import Any

from sanic import Blueprint, Request
from sanic.exceptions import NotFound
from sanic.response import BaseHTTPResponse

from billing.web.files.delivery import send_job
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.pages import page, page_or_part
from billing.web.kit.reach import owner_of
from billing.web.services.export_jobs import Job
from billing.web.site import site_of

blueprint = Blueprint("exports")


@blueprint.get("/exports")
@admits(*EVERY_ROLE, limited=True)
async def list_exports(request: Request[Any, Any]) -> BaseHTTPResponse:
    """Show the present files of the signed-in administrator."""
    jobs = site_of(request).exports.of(owner_of(request))
    return page(request, "files/exports.html", page="exports", jobs=jobs)


@blueprint.get("/exports/<job_id:str>")
@admits(*EVERY_ROLE, limited=True)
async def show_export(request: Request[Any, Any], job_id: str) -> BaseHTTPResponse:
    """Show the progress of a file, and its download."""
    return page_or_part(
        request,
        "files/export.html",
        "files/_export_state.html",
        page="exports",
        job=_find(request, job_id),
        busy="",
    )


@blueprint.get("/exports/<job_id:str>/file")
@admits(*EVERY_ROLE, limited=True)
async def send_export(request: Request[Any, Any], job_id: str) -> None:
    """Send a finished file."""
    job = _find(request, job_id)
    if job.state != "done":
        raise NotFound
    await send_job(request, job)


def _find(request: Request[Any, Any], job_id: str) -> Job:
    job = site_of(request).exports.find(job_id, owner_of(request))
    if job is None:
        raise NotFound
    return job

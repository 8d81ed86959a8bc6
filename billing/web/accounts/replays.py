"""Replays of accounts: start one, and watch its progress and result."""

from typing import Any

from sanic import Blueprint, Request
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse, redirect

from billing.web.accounts.account import PAGE_OF, view_of
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.pages import page_or_part
from billing.web.kit.reach import owner_of
from billing.web.site import site_of

blueprint = Blueprint("replays")


@blueprint.post("/accounts/<account:str>/replay", unquote=True)
@admits(*EVERY_ROLE, limited=True)
async def begin_replay(request: Request[Any, Any], account: str) -> HTTPResponse:
    """Start a replay, and redirect to its progress."""
    site = site_of(request)
    await view_of(request, account)
    job = site.replays.begin(account, owner_of(request))
    return redirect(f"/replays/{job.id}", status=303)


@blueprint.get("/replays/<job_id:str>")
@admits(*EVERY_ROLE, limited=True)
async def show_replay(request: Request[Any, Any], job_id: str) -> HTTPResponse:
    """Show the progress of a replay, and its result."""
    job = site_of(request).replays.find(job_id, owner_of(request))
    if job is None:
        raise NotFound
    view = await view_of(request, job.account)
    return page_or_part(
        request,
        "accounts/replay.html",
        "accounts/_replay_state.html",
        page=PAGE_OF[view.kind],
        view=view,
        job=job,
        running=bool(job.task and not job.task.done()),
    )

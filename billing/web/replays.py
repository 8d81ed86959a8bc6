"""Replays of accounts: begun on a page, watched there, their verdict told."""

from typing import Any

from sanic import Blueprint, Request
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse, redirect

from billing.web.access import EVERY_ROLE, admits, current_session
from billing.web.account_page import PAGE_OF, view_of
from billing.web.pages import is_partial, page
from billing.web.site import site_of

blueprint = Blueprint("replays")


@blueprint.post("/accounts/<account:str>/replay", unquote=True)
@admits(*EVERY_ROLE)
async def begin_replay(request: Request[Any, Any], account: str) -> HTTPResponse:
    """Begin, and go to where its progress is shown."""
    site, session = site_of(request), await current_session(request)
    await view_of(request, account)
    job = site.replays.begin(account, session.administrator_id if session else "")
    return redirect(f"/replays/{job.id}", status=303)


@blueprint.get("/replays/<job_id:str>")
@admits(*EVERY_ROLE)
async def show_replay(request: Request[Any, Any], job_id: str) -> HTTPResponse:
    """How far a replay is, and what it found."""
    session = await current_session(request)
    job = site_of(request).replays.find(job_id, session.administrator_id) if session else None
    if job is None:
        raise NotFound
    view = await view_of(request, job.account)
    return page(
        request,
        "_replay_state.html" if is_partial(request) else "replay.html",
        page=PAGE_OF[view.kind],
        view=view,
        job=job,
        running=bool(job.task and not job.task.done()),
    )

"""Suspended calls by device and reason; the page, its file, and recycling."""

from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.queries import suspended
from billing.rerating.queue import CallSelection
from billing.web.files.delivery import Answer
from billing.web.files.lists import Field, ListFile, send_list
from billing.web.kit import words
from billing.web.kit.access import ADMINISTRATORS_AND_OPERATORS, EVERY_ROLE, admits
from billing.web.kit.forms import Form
from billing.web.kit.i18n import gettext
from billing.web.kit.pages import page
from billing.web.kit.reach import reach_of
from billing.web.rerating.rerating import ask
from billing.web.site import site_of

blueprint = Blueprint("suspended")


@blueprint.get("/suspended")
@admits(*EVERY_ROLE, limited=True)
async def show_suspended(request: Request[Any, Any]) -> HTTPResponse:
    """Show the suspended calls by reason and by device, with their estimated value."""
    reach = reach_of(request)
    async with site_of(request).pool.connection() as connection:
        return page(
            request,
            "rerating/suspended.html",
            page="suspended",
            reasons=await suspended.waiting_by_reason(connection, reach),
            by_device=await suspended.waiting_by_device(connection, reach),
            stakes=await suspended.stakes(connection, reach),
        )


@blueprint.post("/suspended")
@admits(*ADMINISTRATORS_AND_OPERATORS, limited=True)
async def recycle(request: Request[Any, Any]) -> HTTPResponse:
    """Rate the calls of a reason again, of all devices or of one."""
    form = Form.of(request)
    selection = CallSelection(
        reason=form.choice("reason", words.REASONS, required=False),
        device_id=form.text("device", required=False),
        companies=tuple(reach_of(request).within("") or ()),
    )
    return await ask(request, "recycle", selection)


@blueprint.get("/suspended/export.csv", name="suspended_csv")
@blueprint.get("/suspended/export.xlsx", name="suspended_excel")
@admits(*EVERY_ROLE, limited=True)
async def export_suspended(request: Request[Any, Any]) -> Answer:
    """Send the counts by device and reason. The calls themselves are a filter of the call list."""
    async with site_of(request).pool.connection() as connection:
        found = await suspended.waiting_by_device(connection, reach_of(request), most=None)
    file = ListFile(title=gettext("Suspended calls"), fields=_fields(), rows=found)
    return await send_list(request, file)


def _fields() -> list[Field[suspended.Waiting]]:
    return [
        Field(gettext("Device"), lambda row: row.device, width=30),
        Field(gettext("Reason"), lambda row: words.word(words.REASONS, row.reason), width=26),
        Field(gettext("Calls"), lambda row: row.calls, "count", sum=True),
        Field(gettext("Talk time"), lambda row: row.talk_ms, "talk", sum=True),
        Field(gettext("Oldest"), lambda row: row.oldest, "time", 24),
        Field(gettext("Newest"), lambda row: row.newest, "time", 24),
    ]

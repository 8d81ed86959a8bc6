"""Suspended calls by device, reason and month; the page, its file, recycling and writing off."""

from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.periods import read_month
from billing.queries import suspended
from billing.queries.names import device_name
from billing.queries.reach import EVERYTHING
from billing.rerating.queue import CallSelection
from billing.values import MOST_NUMBER
from billing.web.files.delivery import Answer
from billing.web.files.lists import Field, ListFile, send_list
from billing.web.kit import words
from billing.web.kit.access import ADMINISTRATORS, ADMINISTRATORS_AND_OPERATORS, EVERY_ROLE, admits
from billing.web.kit.forms import Form
from billing.web.kit.i18n import gettext
from billing.web.kit.pages import page
from billing.web.kit.reach import reach_of
from billing.web.rerating.rerating import ask
from billing.web.site import site_of

LONGEST_NOTE = 500
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
            by_month=await suspended.waiting_by_month(connection, reach),
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


@blueprint.get("/suspended/write-off")
@admits(*ADMINISTRATORS)
async def show_write_off(request: Request[Any, Any]) -> HTTPResponse:
    """Show how many calls would be written off, their estimated value, and the form."""
    given = {name: str(request.args.get(name, "")) for name in ("reason", "device", "month")}
    return await _show_write_off(request, Form(given))


@blueprint.post("/suspended/write-off")
@admits(*ADMINISTRATORS)
async def write_off(request: Request[Any, Any]) -> HTTPResponse:
    """Write off the chosen calls that are suspended at the log position that was shown."""
    form = Form.of(request)
    chosen = _chosen(form)
    note = form.text("note", longest=LONGEST_NOTE)
    position = form.whole("position", least=1, most=MOST_NUMBER)
    if form.errors or not position:
        return await _show_write_off(request, form, status=422)
    selection = CallSelection(
        reason=chosen.reason,
        device_id=chosen.device_id,
        in_month=chosen.month,
        note=note,
        through=position,
    )
    return await ask(request, "write_off", selection)


def _chosen(form: Form) -> suspended.Chosen:
    month = form.text("month", required=False)
    return suspended.Chosen(
        reason=form.choice("reason", words.REASONS, required=False),
        device_id=form.text("device", required=False),
        month=read_month(month) if month else "",
    )


async def _show_write_off(
    request: Request[Any, Any], form: Form, status: int = 200
) -> HTTPResponse:
    chosen = _chosen(form)
    async with site_of(request).pool.connection() as connection:
        selected = await suspended.select(connection, chosen)
        stakes = await suspended.stakes(connection, EVERYTHING, chosen)
        device = await device_name(connection, chosen.device_id)
    return page(
        request,
        "rerating/write_off.html",
        status,
        page="suspended",
        form=form,
        chosen=chosen,
        device=device,
        selected=selected,
        stakes=[amount for stake in stakes.values() for amount in stake.amounts],
        estimated=sum(stake.calls for stake in stakes.values()),
    )


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

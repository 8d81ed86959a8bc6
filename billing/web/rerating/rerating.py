"""Re-rating: requests, their progress and their results; the pages and their files."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from psycopg import AsyncConnection
from sanic import Blueprint, Request
from sanic.exceptions import Forbidden, NotFound
from sanic.response import HTTPResponse, redirect

from billing.commands.rerating import RateCallAgain, ReratingTotal, rate_call_again
from billing.log.sealing import CALLS
from billing.queries import suspended
from billing.queries.names import (
    account_names,
    company_choices,
    device_choices,
    device_name,
    stream_names,
)
from billing.queries.reach import EVERYTHING, Reach
from billing.rerating import queue, steps
from billing.rerating.queue import CallSelection, Correction
from billing.values import Money, Refused, new_id
from billing.web.acting import carry_out, go_on
from billing.web.files.delivery import Answer
from billing.web.files.lists import Field, ListFile, send_list
from billing.web.kit import words
from billing.web.kit.access import (
    ADMINISTRATORS,
    ADMINISTRATORS_AND_OPERATORS,
    EVERY_ROLE,
    admits,
    current_session,
    form_value,
)
from billing.web.kit.formats import segment
from billing.web.kit.forms import Form
from billing.web.kit.i18n import gettext
from billing.web.kit.pages import page, page_or_part
from billing.web.kit.reach import reach_of
from billing.web.site import site_of

MOST_LISTED = 10_000  # rows of a file
ACTIONS: dict[str, Literal["applied", "stopped", "resumed"]] = {
    "apply": "applied",
    "cancel": "stopped",
    "continue": "resumed",
}
blueprint = Blueprint("corrections")


@blueprint.post("/corrections/call")
@admits(*ADMINISTRATORS_AND_OPERATORS, limited=True)
async def rate_call(request: Request[Any, Any]) -> HTTPResponse:
    """Rate one call again immediately."""
    call_id = form_value(request, "call")
    path = "/calls/" + segment(call_id)
    try:
        shown = await carry_out(request, rate_call_again, RateCallAgain(stream=CALLS + call_id))
    except Refused as refusal:
        return go_on(path, gettext(refusal.message, **refusal.values))
    return go_on(path, gettext("The call was re-rated."), shown=shown)


@blueprint.get("/corrections")
@admits(*EVERY_ROLE)
async def list_corrections(request: Request[Any, Any]) -> HTTPResponse:
    """Show the form for a re-rating, and previous requests."""
    given = {name: str(request.args.get(name, "")) for name in ("company", "group", "device")}
    given |= {
        "kind": "rerate",
        "from": _first_of_month(request),
        "to": _today(request).date().isoformat(),
    }
    return await _show_list(request, Form(given))


@blueprint.post("/corrections")
@admits(*ADMINISTRATORS)
async def ask_for_correction(request: Request[Any, Any]) -> HTTPResponse:
    """Request the preview of a re-rating, or of the cost with another group."""
    form, zone = Form.of(request), site_of(request).zone
    kind = form.choice("kind", ("rerate", "what_if"))
    begin, end = form.begin_of_day("from", zone), form.begin_of_day("to", zone)
    if begin and end and end < begin:
        form.errors["to"] = gettext("The period ends before it begins.")
    if not begin:
        form.text("from")
    if not end:
        form.text("to")
    selection = CallSelection(
        begin=begin,
        end=_next_day(end, request) if end else None,
        company_id=form.text("company", required=False),
        group_id=form.text("group", required=False),
        device_id=form.text("device", required=False),
        with_group=form.text("with_group") if kind == "what_if" else "",
    )
    if form.errors:
        return await _show_list(request, form, status=422)
    return await ask(request, kind, selection)


@blueprint.get("/corrections/<correction_id:str>")
@admits(*EVERY_ROLE, limited=True)
async def show_correction(request: Request[Any, Any], correction_id: str) -> HTTPResponse:
    """Show the progress of a correction, and its effect on each company."""
    async with site_of(request).pool.connection() as connection:
        correction = await queue.find(connection, correction_id)
        if correction is None:
            raise NotFound
        names = await _names(connection, reach_of(request), correction)
        names |= await stream_names(
            connection, [correction.actor, *(each.actor for each in correction.history)]
        )
    return page_or_part(
        request,
        "rerating/rerating.html",
        "rerating/_rerating.html",
        page="suspended" if correction.kind in steps.WITHOUT_PREVIEW else "corrections",
        correction=correction,
        names=names,
        totals=totals_of(correction),
    )


@blueprint.post("/corrections/<correction_id:str>/<action:str>")
@admits(*ADMINISTRATORS_AND_OPERATORS, limited=True)
async def change_correction(
    request: Request[Any, Any], correction_id: str, action: str
) -> HTTPResponse:
    """Apply a preview, stop a correction, or continue it, in the name of who is signed in."""
    async with site_of(request).pool.connection() as connection:
        correction = await queue.find(connection, correction_id)
    if action not in ACTIONS or correction is None:
        raise NotFound
    session = await current_session(request)
    decides = action == "apply" or (action == "continue" and correction.kind == "write_off")
    if decides and (session is None or session.role != "administrator"):
        raise Forbidden
    command = steps.ChangeCorrection(
        correction_id=correction_id, kind=correction.kind, what=ACTIONS[action]
    )
    await carry_out(request, steps.change, command)
    return redirect(f"/corrections/{correction_id}", status=303)


async def ask(request: Request[Any, Any], kind: Any, selection: CallSelection) -> HTTPResponse:
    """Request a correction, and show it."""
    command = steps.RequestCorrection(correction_id=new_id(), kind=kind, selection=selection)
    await carry_out(request, steps.request, command)
    return redirect(f"/corrections/{command.correction_id}", status=303)


def totals_of(correction: Correction) -> list[tuple[Money, Money]]:
    """Return the old and the new amount of all companies, by currency."""
    sums: dict[str, list[int]] = {}
    for line in correction.lines:
        if line.currency:
            total = sums.setdefault(line.currency, [0, 0])
            total[0] += line.old_micros
            total[1] += line.new_micros
    return [(Money(old, code), Money(new, code)) for code, (old, new) in sorted(sums.items())]


async def _show_list(request: Request[Any, Any], form: Form, status: int = 200) -> HTTPResponse:
    async with site_of(request).pool.connection() as connection:
        found = await queue.newest(connection)
        return page(
            request,
            "rerating/reratings.html",
            status,
            page="corrections",
            form=form,
            found=found,
            names=await stream_names(connection, [each.actor for each in found]),
            companies=await company_choices(connection, EVERYTHING, form.given.get("company", "")),
            devices=await device_choices(connection, EVERYTHING, form.given.get("device", "")),
            groups=[
                (group_id, f"{name} · {currency}")
                for group_id, name, currency in await suspended.all_groups(connection)
            ],
        )


async def _names(
    connection: AsyncConnection[Any], reach: Reach, correction: Correction
) -> dict[str, str]:
    """Return the names of the companies, groups and device of a correction."""
    selection = correction.filter
    companies = {line.company_id for line in correction.lines} | {selection.company_id}
    streams = [f"company:{company_id}" for company_id in companies]
    names = await account_names(connection, reach, streams)
    for group_id, name, _ in await suspended.all_groups(connection):
        names[f"rate-group:{group_id}"] = name
    names[f"device:{selection.device_id}"] = await device_name(connection, selection.device_id)
    return names


def _today(request: Request[Any, Any]) -> datetime:
    return datetime.now(UTC).astimezone(site_of(request).zone)


def _first_of_month(request: Request[Any, Any]) -> str:
    return _today(request).date().replace(day=1).isoformat()


def _next_day(at: datetime, request: Request[Any, Any]) -> datetime:
    """Return the UTC time at which the local day after a local midnight begins."""
    zone = site_of(request).zone
    local = at.astimezone(zone)
    return (local + timedelta(days=1)).replace(tzinfo=zone).astimezone(UTC)


@blueprint.get("/corrections/export.csv", name="corrections_csv")
@blueprint.get("/corrections/export.xlsx", name="corrections_excel")
@admits(*EVERY_ROLE)
async def export_corrections(request: Request[Any, Any]) -> Answer:
    """Send the requested re-ratings and recyclings as a file, newest first."""
    async with site_of(request).pool.connection() as connection:
        found = await queue.newest(connection, MOST_LISTED)
        names = await stream_names(connection, [each.actor for each in found])
    file = ListFile(title=gettext("Re-rating"), fields=_correction_fields(names), rows=found)
    return await send_list(request, file)


def _correction_fields(names: dict[str, str]) -> list[Field[Correction]]:
    return [
        Field(gettext("Requested"), lambda row: row.asked_at, "time", 24),
        Field(gettext("What"), lambda row: words.word(words.CORRECTIONS, row.kind), width=28),
        Field(gettext("State"), _state_of, width=18),
        Field(gettext("By"), lambda row: words.actor(row.actor, names), width=24),
        Field(gettext("From"), lambda row: row.filter.begin, "time", 24),
        Field(gettext("Until (exclusive)"), lambda row: row.filter.end, "time", 24),
        Field(gettext("Calls checked"), lambda row: row.looked_at, "count", sum=True),
    ]


def _state_of(correction: Correction) -> str:
    return words.word(words.CORRECTION_STATES, correction.state)


@blueprint.get("/corrections/<correction_id:str>/export.csv", name="correction_csv")
@blueprint.get("/corrections/<correction_id:str>/export.xlsx", name="correction_excel")
@admits(*EVERY_ROLE, limited=True)
async def export_correction(request: Request[Any, Any], correction_id: str) -> Answer:
    """Send the effect of a correction on each company as a file."""
    async with site_of(request).pool.connection() as connection:
        correction = await queue.find(connection, correction_id)
        if correction is None:
            raise NotFound
        streams = [f"company:{line.company_id}" for line in correction.lines]
        names = await account_names(connection, reach_of(request), streams)
    file = ListFile(
        title=words.word(words.CORRECTIONS, correction.kind),
        fields=_line_fields(names),
        rows=correction.lines,
        facts=[(gettext("State"), _state_of(correction))],
    )
    return await send_list(request, file)


def _line_fields(names: dict[str, str]) -> list[Field[ReratingTotal]]:
    def company(line: ReratingTotal) -> str:
        return names.get(f"company:{line.company_id}", line.company_id)

    def difference(line: ReratingTotal) -> int:
        return line.new_micros - line.old_micros

    return [
        Field(gettext("Company"), company, width=30),
        Field(gettext("Calls"), lambda line: line.calls, "count", sum=True),
        Field(gettext("With another rating"), lambda line: line.changed, "count", sum=True),
        Field(gettext("Can't be rated"), lambda line: line.stuck, "count", sum=True),
        Field(gettext("Before"), lambda line: line.old_micros, "exact", sum=True),
        Field(gettext("After"), lambda line: line.new_micros, "exact", sum=True),
        Field(gettext("Difference"), difference, "exact", sum=True),
        Field(gettext("Currency"), lambda line: line.currency, "currency", 10),
    ]

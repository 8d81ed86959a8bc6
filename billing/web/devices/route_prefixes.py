"""Route prefixes of one device or of all: their order, and a tester that explains a result."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.commands.route_prefixes import SetRoutePrefixes, set_route_prefixes
from billing.queries.names import account_names, device_choices
from billing.queries.reach import EVERYTHING
from billing.rating.cdr import Cdr
from billing.rating.numbers import RoutePrefix
from billing.values import Refused
from billing.web.acting import carry_out, go_on
from billing.web.devices.device import find_device
from billing.web.files.delivery import Answer
from billing.web.files.lists import Field, ListFile, send_list
from billing.web.kit.access import ADMINISTRATORS_AND_OPERATORS, EVERY_ROLE, admits
from billing.web.kit.explain import explain
from billing.web.kit.forms import Form
from billing.web.kit.i18n import gettext
from billing.web.kit.pages import page
from billing.web.site import site_of

SPARE = 3  # empty rows for new rules
LONGEST_REST = 20
SHOWN = ("route_prefix", "short_code", "e164", "as_dialled", "attribution", "no_attribution")
FIELDS = ("order", "prefix", "replacement", "min_rest", "max_rest")
blueprint = Blueprint("route_prefixes")
Row = dict[str, str]


@blueprint.get("/route-prefixes", name="general_prefixes")
@blueprint.get("/devices/<device_id:str>/prefixes", name="device_prefixes")
@admits(*EVERY_ROLE)
async def show_prefixes(request: Request[Any, Any], device_id: str = "") -> HTTPResponse:
    """Show the rules to edit, and the result for a tested number."""
    rules = await asyncio.to_thread(site_of(request).knowledge.route_prefixes, device_id)
    rows = [
        {
            "order": str(rule.order),
            "prefix": rule.prefix,
            "replacement": rule.replacement,
            "min_rest": str(rule.min_rest),
            "max_rest": str(rule.max_rest),
        }
        for rule in rules
    ]
    return await _show(request, device_id, rows, Form({}))


@blueprint.post("/route-prefixes", name="set_general_prefixes")
@blueprint.post("/devices/<device_id:str>/prefixes", name="set_device_prefixes")
@admits(*ADMINISTRATORS_AND_OPERATORS)
async def change_prefixes(request: Request[Any, Any], device_id: str = "") -> HTTPResponse:
    """Replace all rules at once."""
    form = Form.of(request)
    places = sorted(
        int(name[7:]) for name in form.given if name.startswith("prefix_") and name[7:].isdecimal()
    )
    # Numbered names: in a list of values empty fields would be missing.
    rows = [{name: form.given.get(f"{name}_{place}", "") for name in FIELDS} for place in places]
    rows = [row for row in rows if row["prefix"] or row["replacement"]]
    try:
        rules = tuple(_rule(place, row) for place, row in enumerate(rows, 1))
        command = SetRoutePrefixes(device_id=device_id, rules=rules)
        shown = await carry_out(request, set_route_prefixes, command)
    except Refused as refusal:
        form.refuse(refusal)
        return await _show(request, device_id, rows, form, 422)
    return go_on(str(request.path), gettext("The route prefixes were set."), shown=shown)


def _rule(place: int, row: Row) -> RoutePrefix:
    for name in ("order", "min_rest", "max_rest"):
        if row[name] and not (row[name].isascii() and row[name].isdigit() and len(row[name]) < 5):  # noqa: PLR2004 -- more digits than any count here has
            raise Refused("Row %(row)s: write whole numbers.", row=place)
    return RoutePrefix(
        order=int(row["order"] or place),
        prefix=row["prefix"],
        replacement=row["replacement"],
        min_rest=int(row["min_rest"] or 1),
        max_rest=int(row["max_rest"] or LONGEST_REST),
    )


async def _show(
    request: Request[Any, Any], device_id: str, rows: list[Row], form: Form, status: int = 200
) -> HTTPResponse:
    site = site_of(request)
    device = await find_device(request, device_id) if device_id else None
    tried_on = device_id or str(request.args.get("device", ""))
    number = str(request.args.get("number", ""))[:60]
    tried, steps = [], list[str]()
    async with site.pool.connection() as connection:
        known = [] if device else await device_choices(connection, EVERYTHING, tried_on)
        if number and tried_on:
            now = datetime.now(UTC)
            try:
                tried = await asyncio.to_thread(site.knowledge.try_prefixes, number, tried_on, now)
            except Refused as refusal:
                form.refuse(refusal)
            else:
                cdr = Cdr(key="tester", started_at=now, called=number, direction="outbound")
                rating = await asyncio.to_thread(site.knowledge.rate, cdr, tried_on)
                names = await account_names(connection, EVERYTHING, [rating.payer])
                told = tuple(step for step in rating.steps if step[0] in SHOWN)
                steps = explain(told, rating.currency, names)
    return page(
        request,
        "devices/route_prefixes.html",
        status,
        page="devices",
        device=device,
        form=form,
        rows=rows
        + [dict.fromkeys(("order", "prefix", "replacement", "min_rest", "max_rest"), "")] * SPARE,
        devices=known,
        number=number,
        tried_on=tried_on,
        tried=tried,
        steps=steps,
    )


@blueprint.get("/route-prefixes/export.csv", name="prefixes_csv")
@blueprint.get("/route-prefixes/export.xlsx", name="prefixes_excel")
@blueprint.get("/devices/<device_id:str>/prefixes/export.csv", name="own_prefixes_csv")
@blueprint.get("/devices/<device_id:str>/prefixes/export.xlsx", name="own_prefixes_excel")
@admits(*EVERY_ROLE)
async def export_prefixes(request: Request[Any, Any], device_id: str = "") -> Answer:
    """Send the rules of a device, or those of all devices, as a file, in order."""
    if device_id:
        await find_device(request, device_id)
    file = ListFile(
        title=gettext("Route prefixes"),
        fields=_fields(),
        rows=await asyncio.to_thread(site_of(request).knowledge.route_prefixes, device_id),
        given={"device": device_id},
    )
    return await send_list(request, file)


def _fields() -> list[Field[RoutePrefix]]:
    return [
        Field(gettext("Order"), lambda rule: rule.order, "count"),
        Field(gettext("Prefix"), lambda rule: rule.prefix),
        Field(gettext("Replacement"), lambda rule: rule.replacement),
        Field(gettext("Remaining digits, min."), lambda rule: rule.min_rest, "count"),
        Field(gettext("Remaining digits, max."), lambda rule: rule.max_rest, "count"),
    ]

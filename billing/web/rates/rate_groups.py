"""Rate groups: the list and its files, a group with its prices, new groups, copies."""

from datetime import UTC, datetime, timedelta
from typing import Any

from babel.numbers import get_currency_name, list_currencies
from sanic import Blueprint, Request
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse

from billing.commands.rate_groups import (
    CopyRateGroup,
    CreateRateGroup,
    DeleteRateGroup,
    RenameRateGroup,
    create_rate_group,
    delete_rate_group,
    rename_rate_group,
)
from billing.offload.tasks import Copy
from billing.queries import prices, rate_groups
from billing.queries.names import stream_names
from billing.queries.suspended import all_groups
from billing.values import Refused, new_id
from billing.web.acting import carry_out, envelope_of, go_on, until_shown
from billing.web.files.delivery import Answer
from billing.web.files.lists import Field, ListFile, all_pages, send_list
from billing.web.kit.access import ADMINISTRATORS, EVERY_ROLE, admits
from billing.web.kit.filters import Listing, read_listing
from billing.web.kit.forms import Form
from billing.web.kit.i18n import gettext, locale
from billing.web.kit.lists import PAGE_SIZE, list_page
from billing.web.kit.pages import page, page_or_part
from billing.web.site import site_of

MOST_PLANNED = 20
blueprint = Blueprint("rate_groups")


@blueprint.get("/rate-groups")
@admits(*EVERY_ROLE)
async def list_groups(request: Request[Any, Any]) -> HTTPResponse:
    """Show all groups, by name."""
    listing = read_listing(request, ("q",), rate_groups.KEY_TYPE)
    async with site_of(request).pool.connection() as connection:
        found = await rate_groups.list_groups(
            connection, listing.given.get("q", ""), listing.place, PAGE_SIZE
        )
    return list_page(
        request, "rates/rate_groups.html", "rates/_rate_group_results.html", listing, found
    )


@blueprint.get("/rate-groups/export.csv", name="groups_csv")
@blueprint.get("/rate-groups/export.xlsx", name="groups_excel")
@admits(*EVERY_ROLE)
async def export_groups(request: Request[Any, Any]) -> Answer:
    """Send the groups of the filter as a file."""
    given = read_listing(request, ("q",), rate_groups.KEY_TYPE).given
    site, text = site_of(request), given.get("q", "")
    file = ListFile(
        title=gettext("Rate groups"),
        fields=_fields(),
        rows=all_pages(site, rate_groups.list_groups, text, rate_groups.KEY_TYPE),
        given=given,
    )
    return await send_list(request, file)


def _fields() -> list[Field[rate_groups.GroupRow]]:
    return [
        Field(gettext("Rate group"), lambda row: row.name, width=30),
        Field(gettext("Currency"), lambda row: row.currency, width=10),
        Field(gettext("Prices"), lambda row: row.prices, "count", sum=True),
        Field(gettext("Planned"), lambda row: row.planned, "count", sum=True),
        Field(gettext("Companies"), lambda row: row.companies, "count", sum=True),
        Field(gettext("Changed"), lambda row: row.changed_at, "time", 24),
    ]


@blueprint.get("/rate-groups/new", name="ask_group")
@admits(*ADMINISTRATORS)
async def ask_group(request: Request[Any, Any]) -> HTTPResponse:
    """Show the form for a group."""
    given = {"currency": "EUR", "original": str(request.args.get("copy", ""))}
    return await _group_page(request, Form(given))


@blueprint.post("/rate-groups/new", name="create_group")
@admits(*ADMINISTRATORS)
async def create_group(request: Request[Any, Any]) -> HTTPResponse:
    """Create a group, empty or as a copy, and show it."""
    form, own_id = Form.of(request), new_id()
    name, original = form.text("name"), form.text("original", required=False)
    currency = "" if original else form.choice("currency", list_currencies())
    if not form.errors:
        try:
            if original:
                copy = CopyRateGroup(group_id=own_id, name=name, original_id=original)
                task = Copy(command=copy, envelope=await envelope_of(request))
                answer = await site_of(request).offload.run(task)
                shown = await until_shown(request, answer.position)
            else:
                create = CreateRateGroup(group_id=own_id, name=name, currency=currency)
                shown = await carry_out(request, create_rate_group, create)
        except Refused as refusal:
            form.refuse(refusal)
        else:
            done = gettext("The rate group was created.")
            return go_on(f"/rate-groups/{own_id}", done, shown=shown)
    return await _group_page(request, form, 422)


async def _group_page(request: Request[Any, Any], form: Form, status: int = 200) -> HTTPResponse:
    async with site_of(request).pool.connection() as connection:
        groups = await all_groups(connection)
    currencies = sorted(
        (code, f"{code} · {get_currency_name(code, locale=locale())}") for code in list_currencies()
    )
    return page(
        request,
        "rates/rate_group_new.html",
        status,
        page="rate-groups",
        form=form,
        currencies=currencies,
        groups=[(group_id, f"{name} · {currency}") for group_id, name, currency in groups],
    )


@blueprint.get("/rate-groups/<group_id:str>")
@admits(*EVERY_ROLE)
async def show_group(request: Request[Any, Any], group_id: str) -> HTTPResponse:
    """Show a group: its prices on a day, planned prices, companies, imports."""
    listing = read_listing(request, ("q", "on"), prices.KEY_TYPE)
    at = requested_moment(request, listing)
    wanted = prices.PriceFilter(group_id=group_id, at=at, text=listing.given.get("q", ""))
    group = await find_group(request, group_id)
    async with site_of(request).pool.connection() as connection:
        found = await prices.list_prices(connection, wanted, listing.place, PAGE_SIZE)
        now = datetime.now(UTC)
        planned = await prices.planned_prices(connection, group_id, now, MOST_PLANNED)
        bound = await rate_groups.bound_to(connection, group_id)
        imports = await rate_groups.imports_of(connection, group_id)
        names = await stream_names(connection, {each.actor for each in imports})
    return page_or_part(
        request,
        "rates/rate_group.html",
        "rates/_price_results.html",
        page="rate-groups",
        group=group,
        given=listing.given,
        found=found,
        planned=planned,
        bound=bound,
        imports=imports,
        names=names,
    )


@blueprint.post("/rate-groups/<group_id:str>/rename")
@admits(*ADMINISTRATORS)
async def rename(request: Request[Any, Any], group_id: str) -> HTTPResponse:
    """Rename a group."""
    command = RenameRateGroup(group_id=group_id, name=Form.of(request).text("name"))
    done = gettext("The rate group was renamed.")
    return await act(request, rename_rate_group, command, f"/rate-groups/{group_id}", done)


@blueprint.post("/rate-groups/<group_id:str>/delete")
@admits(*ADMINISTRATORS)
async def delete(request: Request[Any, Any], group_id: str) -> HTTPResponse:
    """Delete a group that no company uses."""
    path = f"/rate-groups/{group_id}"
    try:
        command = DeleteRateGroup(group_id=group_id)
        shown = await carry_out(request, delete_rate_group, command)
    except Refused as refusal:
        return go_on(path, gettext(refusal.message, **refusal.values))
    return go_on("/rate-groups", gettext("The rate group was deleted."), shown=shown)


async def act(
    request: Request[Any, Any], handler: Any, command: Any, path: str, done: str
) -> HTTPResponse:
    """Carry out the command of a button; a refusal is shown on the next page."""
    try:
        shown = await carry_out(request, handler, command)
    except Refused as refusal:
        return go_on(path, gettext(refusal.message, **refusal.values))
    return go_on(path, done, shown=shown)


async def find_group(request: Request[Any, Any], group_id: str) -> rate_groups.GroupRow:
    """Return the group that a URL names; raises NotFound."""
    async with site_of(request).pool.connection() as connection:
        group = await rate_groups.find_group(connection, group_id)
    if group is None:
        raise NotFound
    return group


def requested_moment(request: Request[Any, Any], listing: Listing) -> datetime:
    """Return the end of the local day that a URL names; now without one. Refused if invalid."""
    form, zone = Form({"on": listing.given.get("on", "")}), site_of(request).zone
    begin = form.begin_of_day("on", zone)
    if form.errors:
        raise Refused("%(text)s is not a date.", text=form.given["on"])
    if begin is None:
        return datetime.now(UTC)
    local = begin.astimezone(zone) + timedelta(days=1)
    return local.astimezone(UTC) - timedelta(microseconds=1)

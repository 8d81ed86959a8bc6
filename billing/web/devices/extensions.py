"""The extensions of a device: list, assignment from a day on, import and export."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.commands.extensions import (
    AssignExtensions,
    Assignment,
    RemoveExtensions,
    assign_extensions,
    remove_extensions,
)
from billing.decks import cells
from billing.queries import extensions as reading
from billing.queries.lookups import accounts_named
from billing.queries.names import account_names, sub_account_choices
from billing.queries.paging import Page, Place
from billing.sheets import Column
from billing.values import Refused
from billing.web.acting import carry_out, go_on
from billing.web.devices.device import find_device
from billing.web.files.delivery import Answer
from billing.web.files.importing import Kind, ask, take
from billing.web.files.lists import Field, ListFile, all_pages, send_list
from billing.web.kit.access import (
    ADMINISTRATORS,
    ADMINISTRATORS_AND_OPERATORS,
    EVERY_ROLE,
    SHEETS,
    admits,
)
from billing.web.kit.filters import read_listing
from billing.web.kit.forms import Form
from billing.web.kit.i18n import N_, gettext
from billing.web.kit.lists import PAGE_SIZE
from billing.web.kit.pages import page_or_part
from billing.web.kit.reach import reach_of
from billing.web.services.import_plans import Checked, Plan, SheetRow
from billing.web.site import site_of

LONGEST = 100
COLUMNS = (
    Column("extension", ("extension", "extensión", "number", "número")),
    Column("account", ("account", "cuenta", "user account", "cuenta de usuario"), required=False),
    Column("name", ("name", "nombre"), required=False),
    Column(
        "tenant", ("tenant", "cliente alojado", "inquilino", "domain", "context"), required=False
    ),
    Column("valid_from", ("valid from", "válida desde", "from", "desde"), required=False),
)
HEADS = (N_("Extension"), N_("Account"), N_("Name"), N_("Tenant"), N_("Valid from"))
blueprint = Blueprint("extensions")


@blueprint.get("/devices/<device_id:str>/extensions")
@admits(*EVERY_ROLE, limited=True)
async def list_extensions(request: Request[Any, Any], device_id: str) -> HTTPResponse:
    """Show the extensions of a device, and the form that assigns one."""
    given = {
        name: str(request.args.get(name, ""))
        for name in ("extension", "tenant", "account", "name")
        if request.args.get(name)
    }
    return await _show(request, device_id, Form(given))


async def _show(
    request: Request[Any, Any], device_id: str, form: Form, status: int = 200
) -> HTTPResponse:
    device, reach = await find_device(request, device_id), reach_of(request)
    listing = read_listing(request, ("q",), reading.KEY_TYPE)
    text = listing.given.get("q", "")
    async with site_of(request).pool.connection() as connection:
        found = await reading.list_extensions(
            connection, reach, device_id, text, listing.place, size=PAGE_SIZE
        )
        accounts = await sub_account_choices(
            connection, reach, "user", device.company_id, form.given.get("account", "")
        )
    return page_or_part(
        request,
        "devices/extensions.html",
        "devices/_extension_results.html",
        status,
        page="devices",
        device=device,
        form=form,
        found=found,
        given=listing.given,
        accounts=accounts,
        path=f"/devices/{device_id}/extensions",
    )


@blueprint.post("/devices/<device_id:str>/extensions")
@admits(*ADMINISTRATORS_AND_OPERATORS, limited=True)
async def assign(request: Request[Any, Any], device_id: str) -> HTTPResponse:
    """Assign an extension to an account, now or from a day on; or remove a wrong assignment."""
    form, path = Form.of(request), f"/devices/{device_id}/extensions"
    extension, tenant = form.text("extension", longest=LONGEST), form.text("tenant", required=False)
    assignment = Assignment(
        extension=extension,
        tenant=tenant,
        account=form.text("account", required=False),
        name=form.text("name", required=False),
        valid_from=form.begin_of_day("valid_from", site_of(request).zone),
    )
    if form.errors:
        return await _show(request, device_id, form, 422)
    try:
        if form.checked("remove"):
            removal = RemoveExtensions(device_id=device_id, extensions=((tenant, extension),))
            shown = await carry_out(request, remove_extensions, removal)
            return go_on(path, gettext("The extension was removed."), shown=shown)
        command = AssignExtensions(device_id=device_id, assignments=(assignment,))
        shown = await carry_out(request, assign_extensions, command)
    except Refused as refusal:
        form.refuse(refusal)
        return await _show(request, device_id, form, 422)
    return go_on(path, gettext("The extension was assigned."), shown=shown)


@blueprint.get("/devices/<device_id:str>/extensions/export.csv", name="extensions_csv")
@blueprint.get("/devices/<device_id:str>/extensions/export.xlsx", name="extensions_excel")
@admits(*EVERY_ROLE, limited=True)
async def export(request: Request[Any, Any], device_id: str) -> Answer:
    """Send all extensions in the format of the import."""
    await find_device(request, device_id)
    site, reach = site_of(request), reach_of(request)

    def read(
        connection: AsyncConnection[Any], device: str, place: Place | None, size: int
    ) -> Awaitable[Page[reading.ExtensionRow]]:
        return reading.list_extensions(connection, reach, device, "", place, size=size)

    file = ListFile(
        title=gettext("extensions"),
        fields=_fields(site.zone),
        rows=all_pages(site, read, device_id, reading.KEY_TYPE),
        given={"device": device_id},
    )
    return await send_list(request, file)


def _fields(zone: ZoneInfo) -> list[Field[reading.ExtensionRow]]:
    def since(row: reading.ExtensionRow) -> str:
        return row.valid_from.astimezone(zone).date().isoformat() if row.valid_from else ""

    return [
        Field(gettext("Extension"), lambda row: row.extension),
        Field(gettext("Account"), lambda row: row.account_name),
        Field(gettext("Name"), lambda row: row.name),
        Field(gettext("Tenant"), lambda row: row.tenant),
        Field(gettext("Valid from"), since),
    ]


@blueprint.get("/devices/<device_id:str>/extensions/import", name="ask_extensions")
@blueprint.post("/devices/<device_id:str>/extensions/import", name="take_extensions")
@admits(*ADMINISTRATORS, limited=True, takes=SHEETS)
async def import_extensions(request: Request[Any, Any], device_id: str) -> HTTPResponse:
    """Read a sheet, and show what it would change."""
    await find_device(request, device_id)
    kind = Kind(
        N_("Import extensions"),
        N_("One extension per row. Write the name or the id of the account; empty: the company."),
        COLUMNS,
        HEADS,
        plan_extensions,
        "devices",
        f"/devices/{device_id}/extensions",
    )
    return await (take if request.method == "POST" else ask)(request, kind)


async def plan_extensions(request: Request[Any, Any], form: Form, lines: list[SheetRow]) -> Plan:
    """Return what a sheet would assign, with an error for each wrong row."""
    device_id = str(request.path).split("/")[2]
    device = await find_device(request, device_id)
    async with site_of(request).pool.connection() as connection:
        known = await reading.holders(connection, device_id)
        said_names = {line.get("account") for line in lines} - {""}
        named = await accounts_named(connection, reach_of(request), said_names)
        held = list({account for account, _ in known.values()} - {""})
        names = await account_names(connection, reach_of(request), held)
    checked, assignments, preview = Checked(), list[Assignment](), list[list[str]]()
    seen = set[tuple[str, str]]()
    for line in lines:
        key = line.get("tenant"), line.get("extension")
        if not key[1] or len(key[1]) > LONGEST:
            checked.wrong(line, "extension", N_("An extension needs a number."))
        elif key in seen:
            checked.wrong(line, "extension", N_("This extension appears twice in the spreadsheet."))
        seen.add(key)
        account, said = "", line.get("account")
        if said:
            own = [
                each
                for each in named.get(said, [])
                if each.company_id == device.company_id and each.account.startswith("user:")
            ]
            account = own[0].account if len(own) == 1 else ""
            if not account:
                message = N_("The company has no user account %(account)s, or more than one.")
                checked.wrong(line, "account", message, account=said)
        assignment = Assignment(
            extension=key[1],
            tenant=key[0],
            account=account,
            name=line.get("name"),
            valid_from=_begin(request, checked, line),
        )
        assignments.append(assignment)
        holder = known.get(key, ("", ""))[0]
        if holder and holder != account and not form.checked("move"):
            message = N_("This extension belongs to %(account)s. Choose to move it, or correct it.")
            checked.wrong(line, "extension", message, account=names.get(holder, holder))
        what = _what(known, key, assignment)
        if holder and holder != account:
            what = gettext("Moves from %(account)s", account=names.get(holder, holder))
        preview.append([*key[::-1], said, assignment.name, what])
    heads = [gettext(head) for head in ("Extension", "Tenant", "Account", "Name")]
    return Plan(
        owner="",
        file_name="",
        rows=[line.row for line in lines],
        heads=[*heads, gettext("What it does")],
        preview=preview,
        problems=checked.problems,
        command=AssignExtensions(device_id=device_id, assignments=tuple(assignments)),
        handler=assign_extensions,
        back=f"/devices/{device_id}/extensions",
        done=N_("The extensions were assigned."),
    )


def _what(
    known: dict[tuple[str, str], tuple[str, str]], key: tuple[str, str], new: Assignment
) -> str:
    before = known.get(key)
    if before is None:
        return gettext("New")
    if before == (new.account, new.name):
        return gettext("As it is")
    return gettext("Changes account") if before[0] != new.account else gettext("New name")


def _begin(request: Request[Any, Any], checked: Checked, line: SheetRow) -> datetime | None:
    text = line.get("valid_from")
    if not text:
        return None
    try:
        return cells.beginning(text, site_of(request).zone)
    except Refused as refusal:
        checked.wrong(line, "valid_from", refusal.message, **refusal.values)
        return None

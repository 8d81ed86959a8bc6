"""Administrators: their roles, their passwords and their open sessions."""

from collections.abc import Callable
from typing import Any

from sanic import Blueprint, Request
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse

from billing.aggregates.event import Envelope
from billing.commands import administrators as commands
from billing.log.store import Store
from billing.queries import administrators as reading
from billing.queries.api_tokens import tokens_of
from billing.values import Refused, new_id
from billing.web.acting import carry_out, connected, go_on
from billing.web.files.delivery import Answer
from billing.web.files.lists import Field, ListFile, all_pages, send_list
from billing.web.kit import words
from billing.web.kit.access import LIST, admits, form_value
from billing.web.kit.filters import read_listing
from billing.web.kit.forms import Form
from billing.web.kit.i18n import LANGUAGES, gettext
from billing.web.kit.lists import PAGE_SIZE, list_page
from billing.web.kit.pages import page
from billing.web.people.limits import limit_choices, read_limit
from billing.web.site import site_of

WHO = "administrator"
blueprint = Blueprint("administrators")


@blueprint.get("/administrators")
@admits(WHO)
async def list_administrators(request: Request[Any, Any]) -> HTTPResponse:
    """Show the administrators."""
    listing = read_listing(request, ("q",), reading.KEY_TYPE)
    text = listing.given.get("q", "")
    async with site_of(request).pool.connection() as connection:
        found = await reading.list_administrators(connection, text, listing.place, PAGE_SIZE)
    return list_page(
        request, "people/administrators.html", "people/_administrator_results.html", listing, found
    )


@blueprint.get("/administrators/export.csv", name="administrators_csv")
@blueprint.get("/administrators/export.xlsx", name="administrators_excel")
@admits(WHO)
async def export_administrators(request: Request[Any, Any]) -> Answer:
    """Send the administrators as a file."""
    given = read_listing(request, ("q",), reading.KEY_TYPE).given
    site, text = site_of(request), given.get("q", "")
    file = ListFile(
        title=gettext("Administrators"),
        fields=_fields(),
        rows=all_pages(site, reading.list_administrators, text, reading.KEY_TYPE),
        given=given,
    )
    return await send_list(request, file)


def _fields() -> list[Field[reading.AdministratorRow]]:
    return [
        Field(gettext("Sign-in name"), lambda row: row.sign_in_name, width=24),
        Field(gettext("Name"), lambda row: row.name, width=30),
        Field(gettext("Role"), lambda row: words.word(words.ROLES, row.role), width=16),
        Field(gettext("State"), lambda row: words.enabled(on=row.enabled), width=14),
        Field(gettext("Two-factor"), lambda row: words.yes_or_no(yes=row.two_factor), width=14),
        Field(gettext("Open sessions"), lambda row: row.sessions, "count"),
        Field(gettext("Last seen"), lambda row: row.seen_at, "time", 24),
    ]


@blueprint.get("/administrators/new", name="ask_administrator")
@admits(WHO)
async def ask_administrator(request: Request[Any, Any]) -> HTTPResponse:
    """Show the form for a new administrator."""
    return await _new_page(request, Form({"role": "operator", "language": "es"}))


@blueprint.post("/administrators/new", name="add_administrator")
@admits(WHO, takes=LIST)
async def do_add_administrator(request: Request[Any, Any]) -> HTTPResponse:
    """Add an administrator, and show the password once."""
    form = Form.of(request)
    command = commands.AddAdministrator(
        administrator_id=new_id(),
        sign_in_name=form.text("sign_in_name", longest=100).lower(),
        name=form.text("name", longest=100),
        role=form.choice("role", words.ROLES),
        language=form.choice("language", LANGUAGES),
        companies=await read_limit(request, form),
    )
    if not form.errors:
        try:
            password = await _make(request, commands.add_administrator, command)
        except Refused as refusal:
            form.refuse(refusal)
        else:
            return _password_page(request, command.sign_in_name, password)
    return await _new_page(request, form, 422, command.companies)


@blueprint.get("/administrators/<own_id:str>", name="show_administrator")
@admits(WHO)
async def show_administrator(request: Request[Any, Any], own_id: str) -> HTTPResponse:
    """Show an administrator with the forms for changes and the open sessions."""
    found = await find_or_404(request, own_id)
    form = Form({"name": found.name, "role": found.role, "language": found.language})
    return await _own_page(request, found, form, found.companies)


@blueprint.post("/administrators/<own_id:str>", name="change_administrator")
@admits(WHO, takes=LIST)
async def change_administrator(request: Request[Any, Any], own_id: str) -> HTTPResponse:
    """Change the name, the role and the language."""
    found, form = await find_or_404(request, own_id), Form.of(request)
    command = commands.ChangeAdministrator(
        administrator_id=own_id,
        name=form.text("name", longest=100),
        role=form.choice("role", words.ROLES),
        language=form.choice("language", LANGUAGES),
        companies=await read_limit(request, form),
    )
    if not form.errors:
        try:
            shown = await carry_out(request, connected(commands.change_administrator), command)
        except Refused as refusal:
            form.refuse(refusal)
        else:
            return go_on("/administrators", gettext("The administrator was changed."), shown=shown)
    return await _own_page(request, found, form, command.companies, 422)


@blueprint.post("/administrators/<own_id:str>/enabled", name="enable_administrator")
@admits(WHO)
async def enable_administrator(request: Request[Any, Any], own_id: str) -> HTTPResponse:
    """Enable or disable an administrator."""
    await find_or_404(request, own_id)
    enabled = form_value(request, "enabled") == "yes"
    command = commands.EnableAdministrator(administrator_id=own_id, enabled=enabled)
    shown = await carry_out(request, connected(commands.enable_administrator), command)
    done = (
        gettext("The administrator can sign in again.")
        if enabled
        else gettext("The administrator can no longer sign in.")
    )
    return go_on("/administrators", done, shown=shown)


@blueprint.post("/administrators/<own_id:str>/password", name="reset_password")
@admits(WHO)
async def reset_password(request: Request[Any, Any], own_id: str) -> HTTPResponse:
    """Generate a new password, and show it once."""
    found = await find_or_404(request, own_id)
    command = commands.ResetPassword(administrator_id=own_id)
    password = await _make(request, commands.reset_password, command)
    return _password_page(request, found.sign_in_name, password)


async def find_or_404(request: Request[Any, Any], own_id: str) -> reading.AdministratorRow:
    """Return the administrator that a URL names; raises NotFound."""
    async with site_of(request).pool.connection() as connection:
        found = await reading.find_administrator(connection, own_id)
    if not found:
        raise NotFound
    return found


async def _make(
    request: Request[Any, Any], handler: Callable[..., commands.Made], command: Any
) -> str:
    """Carry out a command that generates a password, and return the password."""
    made = list[commands.Made]()

    def handle(store: Store, command: Any, envelope: Envelope) -> int:
        with commands.connect(store) as connection:
            made.append(handler(store, connection, command, envelope))
        return made[0].position

    await carry_out(request, handle, command)
    return made[0].password


def _choices() -> dict[str, Any]:
    return {"roles": words.choices(words.ROLES), "tongues": list(LANGUAGES.items())}


async def _new_page(
    request: Request[Any, Any], form: Form, status: int = 200, companies: tuple[str, ...] = ()
) -> HTTPResponse:
    async with site_of(request).pool.connection() as connection:
        limit = await limit_choices(connection, form, companies)
    template, choices = "people/administrator_new.html", _choices() | limit
    return page(request, template, status, page="administrators", form=form, **choices)


def _password_page(request: Request[Any, Any], name: str, password: str) -> HTTPResponse:
    template = "people/administrator_password.html"
    return page(request, template, page="administrators", name=name, password=password)


async def _own_page(
    request: Request[Any, Any],
    found: reading.AdministratorRow,
    form: Form,
    companies: tuple[str, ...],
    status: int = 200,
) -> HTTPResponse:
    async with site_of(request).pool.connection() as connection:
        sessions = await reading.sessions_of(connection, found.administrator_id)
        limit = await limit_choices(connection, form, companies)
        factor = await reading.second_factor_of(connection, found.administrator_id)
        tokens = await tokens_of(connection, found.administrator_id)
    return page(
        request,
        "people/administrator.html",
        status,
        page="administrators",
        who=found,
        form=form,
        sessions=sessions,
        factor=factor,
        tokens=tokens,
        **_choices() | limit,
    )

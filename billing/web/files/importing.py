"""How an import works: a sheet is uploaded, its effect is previewed, and applied as a whole."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any

import msgspec
from sanic import Blueprint, Request
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse

from billing.commands.deciding import RowsRefused
from billing.sheets import Column, Row, match_headers
from billing.values import Refused
from billing.web.acting import carry_out, go_on
from billing.web.kit.access import ADMINISTRATORS, admits
from billing.web.kit.bodies import sent_file
from billing.web.kit.forms import WHOLE, Form
from billing.web.kit.i18n import gettext
from billing.web.kit.pages import page
from billing.web.kit.reach import owner_of
from billing.web.services.import_plans import Plan, Problem, SheetRow
from billing.web.site import site_of

MOST_ROWS = 50_001  # with the header
MOST_SHOWN = 200  # rows of a preview, and errors
blueprint = Blueprint("importing")


class Kind(msgspec.Struct, frozen=True):
    """A kind of import: its columns, and the function that makes a plan of the rows."""

    title: str
    explanation: str
    columns: Sequence[Column]
    heads: Sequence[str]  # of the preview's columns, in the reader's language
    plan: Callable[[Request[Any, Any], Form, list[SheetRow]], Awaitable[Plan]]
    page: str  # of the menu
    back: str
    choices: Callable[[Request[Any, Any]], Awaitable[dict[str, Any]]] | None = None


def lines_of(columns: Sequence[Column], rows: Iterator[Row]) -> list[SheetRow]:
    """The rows of a sheet by its headers. Refused if a required column is missing."""
    header = next(rows)
    places = match_headers(header.cells, columns)
    missing = [each.names[0] for each in columns if each.required and each.key not in places]
    if missing:
        raise Refused(
            "The first row must name the columns; missing: %(names)s.", names=", ".join(missing)
        )
    lines = [
        SheetRow(
            row.number,
            {key: row.cells[at] for key, at in places.items() if at < len(row.cells)},
        )
        for row in rows
    ]
    if not lines:
        raise Refused("There is no row below the headers.")
    return lines


async def take(request: Request[Any, Any], kind: Kind) -> HTTPResponse:
    """Read an uploaded sheet, and show what it would do."""
    form = Form.of(request)
    sent = sent_file(request, "file")
    if sent is None:
        form.errors["file"] = gettext("Choose a file.")
        return await ask(request, kind, form, 422)
    try:
        content = await asyncio.to_thread(sent.path.read_bytes)
        lines = await site_of(request).sheets.read(
            content, sent.name, partial(lines_of, kind.columns), MOST_ROWS
        )
        plan = await kind.plan(request, form, lines)
    except Refused as refusal:
        form.refuse(refusal, "file")
        return await ask(request, kind, form, 422)
    if form.errors:
        return await ask(request, kind, form, 422)
    plan.owner, plan.file_name = owner_of(request), sent.name
    return _preview(request, kind.page, plan)


async def ask(
    request: Request[Any, Any], kind: Kind, form: Form | None = None, status: int = 200
) -> HTTPResponse:
    """Show the form for uploading a sheet."""
    choices = await kind.choices(request) if kind.choices else {}
    return page(
        request,
        "files/import.html",
        status,
        page=kind.page,
        kind=kind,
        form=form or Form({key: str(request.args.get(key, "")) for key in ("company",)}),
        action=request.path,
        **choices,
    )


def _preview(request: Request[Any, Any], menu: str, plan: Plan, status: int = 200) -> HTTPResponse:
    token = "" if plan.problems else site_of(request).plans.keep(plan)
    return page(
        request,
        "files/import_preview.html",
        422 if plan.problems else status,
        page=menu,
        plan=plan,
        token=token,
        most=MOST_SHOWN,
    )


@blueprint.post("/imports/<token:str>")
@admits(*ADMINISTRATORS, limited=True)
async def apply_import(request: Request[Any, Any], token: str) -> HTTPResponse:
    """Apply the previewed import; nothing is applied if something changed in the meantime."""
    site = site_of(request)
    plan = site.plans.find(token, owner_of(request))
    if plan is None:
        raise NotFound
    site.plans.forget(token)
    try:
        shown = await carry_out(request, plan.handler, plan.command)
    except RowsRefused as refusal:
        plan.problems = [
            Problem(plan.rows[place], "", gettext(each.message, **each.values))
            for place, each in refusal.rows
        ]
        return _preview(request, "", plan)
    except Refused as refusal:
        said = gettext(refusal.message, **refusal.values)
        plan.problems = [Problem(plan.rows[0], WHOLE, said)]
        return _preview(request, "", plan)
    return go_on(plan.back, gettext(plan.done), shown=shown)

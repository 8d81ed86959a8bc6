"""Importing a deck: upload, mapping and preview, import in one event, undo."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from sanic import Blueprint, Request
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse, redirect

from billing.commands.rate_groups import UndoImport
from billing.decks import cells, columns, uploads
from billing.decks.uploads import Upload
from billing.offload.tasks import Apply, Preview, Previewed, Undo, Wish
from billing.periods import local_month, month_before
from billing.sheets import Row
from billing.values import Refused, new_id
from billing.web.acting import envelope_of, go_on, until_shown
from billing.web.kit.access import ADMINISTRATORS, SHEETS, admits
from billing.web.kit.bodies import sent_file
from billing.web.kit.formats import month
from billing.web.kit.forms import Form
from billing.web.kit.i18n import N_, gettext
from billing.web.kit.pages import page
from billing.web.rates.rate_groups import find_group
from billing.web.site import Site, site_of

SAMPLE = 6  # rows shown for checking the columns
COLUMN_NAMES = {
    "prefix": N_("Prefix"),
    "country_code": N_("Country code"),
    "name": N_("Name"),
    "price": N_("Price"),
    "connect_fee": N_("Connect fee"),
    "increment": N_("Increments"),
    "effective_from": N_("Valid from"),
    "min_cost": N_("Minimum charge per call"),
    "unit": N_("Seconds of the price"),
    "call_class": N_("Class of call"),
    "area": N_("Area of the price"),
    "further": N_("Further terms"),
}
UNITS = {"60": N_("per minute"), "1": N_("per second"), "3600": N_("per hour")}
blueprint = Blueprint("deck_import")


@blueprint.get("/rate-groups/<group_id:str>/import", name="ask_deck")
@admits(*ADMINISTRATORS)
async def ask_deck(request: Request[Any, Any], group_id: str) -> HTTPResponse:
    """Show the form for uploading the file."""
    return await _upload_page(request, group_id, Form({}))


@blueprint.post("/rate-groups/<group_id:str>/import", name="take_deck")
@admits(*ADMINISTRATORS, takes=SHEETS)
async def take_deck(request: Request[Any, Any], group_id: str) -> HTTPResponse:
    """Store the file, and continue with its columns."""
    form = Form.of(request)
    sent = sent_file(request, "file")
    if sent is None:
        form.errors["file"] = gettext("Choose a file.")
        return await _upload_page(request, group_id, form, 422)
    await find_group(request, group_id)
    content = await asyncio.to_thread(sent.path.read_bytes)
    upload = Upload(new_id(), group_id, sent.name[-200:], content)
    try:
        await site_of(request).sheets.first_rows(
            upload.content, upload.file_name, columns.HEAD_ROWS
        )
    except Refused as refusal:
        form.refuse(refusal, "file")
        return await _upload_page(request, group_id, form, 422)
    actor = (await envelope_of(request)).actor
    await asyncio.to_thread(_keep, site_of(request), upload, actor)
    return redirect(f"/rate-groups/{group_id}/import/{upload.upload_id}", status=303)


async def _upload_page(
    request: Request[Any, Any], group_id: str, form: Form, status: int = 200
) -> HTTPResponse:
    group = await find_group(request, group_id)
    return page(
        request, "rates/deck_upload.html", status, page="rate-groups", group=group, form=form
    )


@blueprint.get("/rate-groups/<group_id:str>/import/<upload_id:str>", name="ask_columns")
@admits(*ADMINISTRATORS)
async def ask_columns(request: Request[Any, Any], group_id: str, upload_id: str) -> HTTPResponse:
    """Show the guessed meaning of each column."""
    upload, rows = await _opened(request, group_id, upload_id)
    header, found = columns.guess(rows)
    given = {f"col_{key}": str(place) for key, place in found.items()}
    today = datetime.now(UTC).astimezone(site_of(request).zone).date().isoformat()
    given |= {"header": str(header), "unit": "60", "increment": "1", "effective_from": today}
    return await _deck_page(request, upload, rows, Form(given))


@blueprint.post("/rate-groups/<group_id:str>/import/<upload_id:str>", name="show_changes")
@admits(*ADMINISTRATORS)
async def show_changes(request: Request[Any, Any], group_id: str, upload_id: str) -> HTTPResponse:
    """Show what the import would change, with the corrected columns."""
    upload, rows = await _opened(request, group_id, upload_id)
    form, site = Form.of(request), site_of(request)
    wish = _read_wish(form, request)
    if form.errors:
        return await _deck_page(request, upload, rows, form, status=422)
    task = Preview(group_id=group_id, upload_id=upload_id, wish=wish, now=datetime.now(UTC))
    try:
        answer = await site.offload.run(task)
    except Refused as refusal:
        form.refuse(refusal)
        return await _deck_page(request, upload, rows, form, status=422)
    return await _deck_page(request, upload, rows, form, made=answer.previewed)


def _read_wish(form: Form, request: Request[Any, Any]) -> Wish:
    places = {
        key: form.whole(f"col_{key}", most=199)
        for key in columns.KEYS
        if form.given.get(f"col_{key}")
    }
    if "price" not in places:
        form.errors["col_price"] = gettext("Choose the column with the price.")
    if not {"prefix", "country_code", "name"} & set(places):
        form.errors["col_prefix"] = gettext("Choose the column with the prefixes or the names.")
    increment = form.text("increment")
    try:
        cells.increments(increment)
    except Refused as refusal:
        form.refuse(refusal, "increment")
    zone = site_of(request).zone
    return Wish(
        header=form.whole("header", most=10_000),
        columns=places,
        zone=zone.key,
        effective_from=form.begin_of_day("effective_from", zone),
        unit_s=int(form.choice("unit", UNITS) or 60),
        increment=increment,
        complete=form.checked("complete"),
    )


async def _opened(
    request: Request[Any, Any], group_id: str, upload_id: str
) -> tuple[Upload, list[Row]]:
    """The file and the top of its sheet."""
    site = site_of(request)
    upload = await asyncio.to_thread(_find, site, group_id, upload_id)
    if upload is None:
        raise NotFound
    rows = await site.sheets.first_rows(upload.content, upload.file_name, columns.HEAD_ROWS)
    return upload, rows


def _find(site: Site, group_id: str, upload_id: str) -> Upload | None:
    with site.connect() as connection:
        return uploads.find(connection, group_id, upload_id)


def _keep(site: Site, upload: Upload, actor: str) -> None:
    with site.connect() as connection:
        uploads.keep(connection, upload, actor)


async def _deck_page(
    request: Request[Any, Any],
    upload: Upload,
    rows: list[Row],
    form: Form,
    *,
    made: Previewed | None = None,
    status: int = 200,
) -> HTTPResponse:
    header = form.whole("header", most=10_000)
    width = max((len(row.cells) for row in rows), default=0)
    heads = next((row.cells for row in rows if row.number == header), [])
    return page(
        request,
        "rates/deck.html",
        status,
        page="rate-groups",
        group=await find_group(request, upload.group_id),
        upload=upload,
        form=form,
        sample=[row for row in rows if row.number >= header][: SAMPLE + 1],
        width=width,
        places=[(str(n), _letter(n) + _said(heads, n)) for n in range(width)],
        column_names=COLUMN_NAMES,
        units=[(code, gettext(text)) for code, text in UNITS.items()],
        made=made,
        month=month(month_before(local_month(datetime.now(UTC), site_of(request).zone.key))),
    )


def _letter(place: int) -> str:
    return (chr(64 + place // 26) if place >= 26 else "") + chr(65 + place % 26)  # noqa: PLR2004 -- letters


def _said(heads: list[str], place: int) -> str:
    return f" · {heads[place][:40]}" if place < len(heads) and heads[place] else ""


@blueprint.post("/rate-groups/<group_id:str>/import/<upload_id:str>/apply")
@admits(*ADMINISTRATORS)
async def apply_deck(request: Request[Any, Any], group_id: str, upload_id: str) -> HTTPResponse:
    """Import the previewed prices."""
    task = Apply(group_id=group_id, upload_id=upload_id, envelope=await envelope_of(request))
    return await _have_done(request, group_id, task, gettext("The deck was imported."))


@blueprint.post("/rate-groups/<group_id:str>/imports/<import_id:str>/undo")
@admits(*ADMINISTRATORS)
async def undo(request: Request[Any, Any], group_id: str, import_id: str) -> HTTPResponse:
    """Undo an import."""
    command = UndoImport(group_id=group_id, import_id=import_id)
    task = Undo(command=command, envelope=await envelope_of(request))
    return await _have_done(request, group_id, task, gettext("The import was undone."))


async def _have_done(
    request: Request[Any, Any], group_id: str, task: Apply | Undo, done: str
) -> HTTPResponse:
    """Carry it out, and show the group, with the refusal if there was one."""
    path = f"/rate-groups/{group_id}"
    try:
        answer = await site_of(request).offload.run(task)
    except Refused as refusal:
        return go_on(path, gettext(refusal.message, **refusal.values))
    return go_on(path, done, shown=await until_shown(request, answer.position))

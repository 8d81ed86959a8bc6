"""Backups: the list, requests for new ones, restoring and removal; the page and its files."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sanic import Blueprint, Request
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse

from billing.keeping.backup import CALLS
from billing.queries import keeping as reading
from billing.queries.names import stream_names
from billing.web.acting import go_on
from billing.web.files.delivery import Answer, send_file
from billing.web.files.lists import Field, ListFile, send_list
from billing.web.kit import words
from billing.web.kit.access import ADMINISTRATORS, ADMINISTRATORS_AND_OPERATORS, EVERY_ROLE, admits
from billing.web.kit.forms import Form
from billing.web.kit.i18n import gettext
from billing.web.kit.pages import page, page_or_part
from billing.web.site import site_of
from billing.web.system.keeping import ask

TASKS = ("full", "scheduled", "calls", "restore", "remove")
blueprint = Blueprint("backups")


@blueprint.get("/backups")
@admits(*EVERY_ROLE)
async def list_backups(request: Request[Any, Any]) -> HTTPResponse:
    """Show the backups, newest first, and the running tasks."""
    today = datetime.now(UTC).astimezone(site_of(request).zone).date()
    last = today.replace(day=1) - timedelta(days=1)
    given = {"from": last.replace(day=1).isoformat(), "to": last.isoformat()}
    return await _show(request, Form(given), 200)


async def _show(request: Request[Any, Any], form: Form, status: int) -> HTTPResponse:
    async with site_of(request).pool.connection() as connection:
        settings = await reading.read_settings(connection)
        backups = await reading.list_backups(connection)
        tasks = await reading.list_tasks(connection, TASKS)
        who = {task.actor for task in tasks} | {backup.made_by for backup in backups}
        names = await stream_names(connection, (who))
    return page_or_part(
        request,
        "system/backups.html",
        "system/_backup_state.html",
        status,
        page="backups",
        form=form,
        settings=settings,
        backups=backups,
        tasks=tasks,
        names=names,
        running=any(task.ended_at is None for task in tasks),
        folder=site_of(request).config.backups,
        path="/backups",
    )


@blueprint.post("/backups")
@admits(*ADMINISTRATORS_AND_OPERATORS)
async def ask_for_backup(request: Request[Any, Any]) -> HTTPResponse:
    """Request a backup of everything, or of the calls of a period."""
    form = Form.of(request)
    if form.given.get("kind") == "full":
        await ask(request, "full", "")
        return go_on("/backups", gettext("Everything is being backed up."))
    first, last = form.day("from"), form.day("to")
    for name, chosen in (("from", first), ("to", last)):
        if chosen is None:
            form.errors.setdefault(name, gettext("Required"))
    if first and last and first > last:
        form.errors["to"] = gettext("The period ends before it begins.")
    if form.errors:
        return await _show(request, form, 422)
    await ask(request, "calls", f"{first}/{last}")
    return go_on("/backups", gettext("The calls of the period are being backed up."))


@blueprint.get("/backups/<name:str>/remove")
@admits(*ADMINISTRATORS)
async def confirm_removal(request: Request[Any, Any], name: str) -> HTTPResponse:
    """Ask to confirm the removal of a backup."""
    await _known(request, name)
    return page(request, "system/backup_remove.html", page="backups", name=name, form=Form({}))


@blueprint.post("/backups/<name:str>/remove")
@admits(*ADMINISTRATORS)
async def remove_backup(request: Request[Any, Any], name: str) -> HTTPResponse:
    """Request the removal of a backup."""
    await _known(request, name)
    await ask(request, "remove", name)
    return go_on("/backups", gettext("%(file)s is being removed.", file=name))


@blueprint.get("/backups/<name:str>/restore")
@admits(*ADMINISTRATORS)
async def confirm_restoring(request: Request[Any, Any], name: str) -> HTTPResponse:
    """Explain what restoring the calls of a backup does, and ask to confirm."""
    await _known(request, name, CALLS)
    return page(request, "system/backup_restore.html", page="backups", name=name, form=Form({}))


@blueprint.post("/backups/<name:str>/restore")
@admits(*ADMINISTRATORS)
async def restore_calls(request: Request[Any, Any], name: str) -> HTTPResponse:
    """Request that missing calls of a backup are restored."""
    await _known(request, name, CALLS)
    await ask(request, "restore", name)
    return go_on("/backups", gettext("The calls of %(file)s are being restored.", file=name))


@blueprint.get("/backups/export.csv", name="backups_csv")
@blueprint.get("/backups/export.xlsx", name="backups_excel")
@admits(*EVERY_ROLE)
async def export_backups(request: Request[Any, Any]) -> Answer:
    """Send the list of backups as a file, newest first."""
    async with site_of(request).pool.connection() as connection:
        found = await reading.list_backups(connection)
        names = await stream_names(connection, ({each.made_by for each in found}))
    file = ListFile(title=gettext("Backups"), fields=_fields(names), rows=found)
    return await send_list(request, file)


def _fields(names: dict[str, str]) -> list[Field[reading.BackupRow]]:
    def maker(row: reading.BackupRow) -> str:
        return words.actor(row.made_by, names)

    return [
        Field(gettext("File"), lambda row: row.file, width=44),
        Field(gettext("Created"), lambda row: row.made_at, "time", 24),
        Field(gettext("What"), lambda row: words.word(words.TASKS, row.kind), width=24),
        Field(gettext("By"), maker, width=24),
        Field(gettext("Days"), lambda row: row.period, width=26),
        Field(gettext("Events"), lambda row: row.events, "count"),
        Field(gettext("Bytes"), lambda row: row.bytes, "count", sum=True),
        Field("SHA-256", lambda row: row.sha256, width=66),
    ]


@blueprint.get("/backups/<name:str>")
@admits(*ADMINISTRATORS)
async def send_backup(request: Request[Any, Any], name: str) -> None:
    """Send the file of a backup; it contains password hashes, so few roles may have it."""
    await _known(request, name)
    path = site_of(request).config.backups / name
    if not path.is_file():
        raise NotFound
    await send_file(request, path, name, "application/octet-stream")


async def _known(request: Request[Any, Any], name: str, kind: str = "") -> None:
    async with site_of(request).pool.connection() as connection:
        backups = await reading.list_backups(connection)
    if not any(each.file == name and kind in ("", each.kind) for each in backups):
        raise NotFound

"""The page of CDR keeping: the storage of each month, running tasks, and keeping times."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from sanic import Blueprint, Request
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse

from billing.aggregates.keeping import MOST_BACKUP_DAYS, MOST_BACKUPS, MOST_MONTHS
from billing.commands.keeping import SetKeeping, set_keeping
from billing.keeping import queue
from billing.keeping.months import is_over
from billing.periods import months_before, read_month
from billing.queries import keeping as reading
from billing.queries.names import stream_names
from billing.values import Refused
from billing.web.acting import carry_out, envelope_of, go_on
from billing.web.files.delivery import Answer, send_file
from billing.web.files.lists import Field, ListFile, send_list
from billing.web.kit import words
from billing.web.kit.access import ADMINISTRATORS, ADMINISTRATORS_AND_OPERATORS, EVERY_ROLE, admits
from billing.web.kit.formats import month as month_name
from billing.web.kit.forms import Form
from billing.web.kit.i18n import gettext
from billing.web.kit.pages import page, page_or_part
from billing.web.site import site_of

MONTH_TASKS = ("archive", "attach", "detach", "shorten")
REQUESTED = ("archive", "attach", "detach")  # what people request; the rest is nightly
blueprint = Blueprint("keeping")


@blueprint.get("/keeping")
@admits(*EVERY_ROLE)
async def show_keeping(request: Request[Any, Any]) -> HTTPResponse:
    """Show every month with calls, and where its calls are."""
    site, now = site_of(request), datetime.now(UTC)
    async with site.pool.connection() as connection:
        settings = await reading.read_settings(connection)
        months = await reading.all_months(connection)
        tasks = await reading.list_tasks(connection, MONTH_TASKS)
        names = await stream_names(connection, ({task.actor for task in tasks}))
    falls_out = months_before(now.astimezone(site.zone), settings.months)
    return page_or_part(
        request,
        "system/keeping.html",
        "system/_keeping_state.html",
        page="keeping",
        settings=settings,
        months=months,
        tasks=tasks,
        names=names,
        running=any(task.ended_at is None for task in tasks),
        due={each.month for each in months if each.month < falls_out},
        over={each.month for each in months if is_over(each.month, now)},
        path="/keeping",
    )


@blueprint.post("/keeping/<month:str>/<kind:str>")
@admits(*ADMINISTRATORS_AND_OPERATORS)
async def ask_for_month(request: Request[Any, Any], month: str, kind: str) -> HTTPResponse:
    """Request that a month is archived, attached or detached."""
    if kind not in REQUESTED:
        raise NotFound
    await ask(request, kind, read_month(month))
    name = month_name(month)
    said = {
        "archive": gettext("%(month)s is being archived.", month=name),
        "attach": gettext("%(month)s is being attached.", month=name),
        "detach": gettext("%(month)s is being detached.", month=name),
    }
    return go_on("/keeping", said[kind])


async def ask(request: Request[Any, Any], kind: str, argument: str) -> None:
    """Queue a task for the keeping job in the name of the signed-in administrator."""
    envelope = await envelope_of(request)
    async with site_of(request).pool.connection() as connection:
        await queue.ask_async(connection, kind, argument, envelope)


@blueprint.get("/keeping/files/<name:str>")
@admits(*ADMINISTRATORS_AND_OPERATORS)
async def send_archive(request: Request[Any, Any], name: str) -> None:
    """Send the file of an archived month."""
    site = site_of(request)
    async with site.pool.connection() as connection:
        months = await reading.all_months(connection)
    known = {part.file for month in months for part in month.parts}
    path = site.config.archives / name
    if name not in known or not path.is_file():
        raise NotFound
    await send_file(request, path, name, "application/octet-stream")


@blueprint.get("/keeping/settings")
@admits(*ADMINISTRATORS)
async def show_settings(request: Request[Any, Any]) -> HTTPResponse:
    """Show the form of the keeping times."""
    async with site_of(request).pool.connection() as connection:
        settings = await reading.read_settings(connection)
    given = {
        "months": str(settings.months),
        "backup_days": str(settings.backup_days),
        "backups_kept": str(settings.backups_kept),
        "shorten_months": str(settings.shorten_months),
    }
    return page(request, "system/keeping_settings.html", page="keeping", form=Form(given))


@blueprint.post("/keeping/settings")
@admits(*ADMINISTRATORS)
async def change_settings(request: Request[Any, Any]) -> HTTPResponse:
    """Set the keeping times."""
    form = Form.of(request)
    command = SetKeeping(
        months=form.whole("months", least=1, most=MOST_MONTHS),
        backup_days=form.whole("backup_days", most=MOST_BACKUP_DAYS),
        backups_kept=form.whole("backups_kept", least=1, most=MOST_BACKUPS),
        shorten_months=form.whole("shorten_months", most=MOST_MONTHS),
    )
    if not form.errors:
        try:
            shown = await carry_out(request, set_keeping, command)
        except Refused as refusal:
            form.refuse(refusal, "shorten_months" if "months" in refusal.values else "")
        else:
            return go_on("/keeping", gettext("The settings were saved."), shown=shown)
    return page(request, "system/keeping_settings.html", 422, page="keeping", form=form)


class _MonthFile(NamedTuple):
    """A row of the exported list: a month, or one file of an archived month."""

    month: reading.Month
    part: reading.Part | None
    kept_bytes: int  # in the database; for a month with several files in the first row only


@blueprint.get("/keeping/export.csv", name="months_csv")
@blueprint.get("/keeping/export.xlsx", name="months_excel")
@admits(*EVERY_ROLE)
async def export_months(request: Request[Any, Any]) -> Answer:
    """Send every month with calls as a file; an archived month has a row for each file."""
    async with site_of(request).pool.connection() as connection:
        months = await reading.all_months(connection)
    rows = [
        _MonthFile(month, part, month.kept.bytes if month.kept and not place else 0)
        for month in months
        for place, part in enumerate(month.parts or (None,))
    ]
    file = ListFile(title=gettext("CDR keeping"), fields=_fields(), rows=rows)
    return await send_list(request, file)


def _fields() -> list[Field[_MonthFile]]:
    return [
        Field(gettext("Month"), lambda row: row.month.month, width=12),
        Field(gettext("Where"), _where, width=18),
        Field(gettext("Calls"), lambda row: (row.part or row.month).calls, "count", sum=True),
        Field(gettext("Bytes in the database"), lambda row: row.kept_bytes, "count", sum=True),
        Field(gettext("File"), lambda row: row.part.file if row.part else "", width=40),
        Field(gettext("Bytes"), lambda row: row.part and row.part.bytes, "count", sum=True),
        Field(gettext("Events"), lambda row: row.part and row.part.events, "count", sum=True),
        Field("SHA-256", lambda row: row.part.sha256 if row.part else "", width=66),
        Field(gettext("Archived"), lambda row: row.part and row.part.archived_at, "time", 24),
    ]


def _where(row: _MonthFile) -> str:
    return words.word(words.KEEPING, row.month.state) or gettext("Database")

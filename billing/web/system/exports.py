"""The months of calls and the backups as files: where each is, how large, with which checksum."""

from typing import Any

from sanic import Blueprint, Request

from billing.queries import keeping
from billing.queries.names import actor_names
from billing.web.files.facts import facts_of
from billing.web.files.lists import Answer, Exported, at_once, send_list
from billing.web.files.xlsx import Column
from billing.web.kit import words
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.i18n import gettext
from billing.web.site import site_of

blueprint = Blueprint("keeping_exports")
Row = list[Any]


@blueprint.get("/keeping/export.csv", name="months_csv")
@blueprint.get("/keeping/export.xlsx", name="months_excel")
@admits(*EVERY_ROLE)
async def export_months(request: Request[Any, Any]) -> Answer:
    """Every month there were calls of; a line for each file of an archived one."""
    async with site_of(request).pool.connection() as connection:
        months = await keeping.all_months(connection)
    exported = Exported(
        title=gettext("CDR keeping"),
        columns=[
            Column(gettext("Month"), width=12),
            Column(gettext("Where"), width=18),
            Column(gettext("Calls"), "count", sum=True),
            Column(gettext("Bytes in the database"), "count", sum=True),
            Column(gettext("File"), width=40),
            Column(gettext("Bytes"), "count", sum=True),
            Column(gettext("Events"), "count", sum=True),
            Column("SHA-256", width=66),
            Column(gettext("Archived"), "time", 24),
        ],
        pages=at_once([row for month in months for row in _month_rows(month)]),
        facts=await facts_of(request, {}),
    )
    return await send_list(request, exported)


def _month_rows(month: keeping.Month) -> list[Row]:
    state = words.word(words.KEEPING, month.state) or gettext("Database")
    kept = month.kept.bytes if month.kept else 0
    if not month.parts:
        return [[month.month, state, month.calls, kept, "", None, None, "", None]]
    rows = []
    for part in month.parts:
        file = [part.file, part.bytes, part.events, part.sha256, part.archived_at]
        rows.append([month.month, state, part.calls, kept, *file])
        kept = 0  # said once
    return rows


@blueprint.get("/backups/export.csv", name="backups_csv")
@blueprint.get("/backups/export.xlsx", name="backups_excel")
@admits(*EVERY_ROLE)
async def export_backups(request: Request[Any, Any]) -> Answer:
    """The backups, newest first."""
    async with site_of(request).pool.connection() as connection:
        found = await keeping.list_backups(connection)
        actors = await actor_names(connection, sorted({each.made_by for each in found}))
    exported = Exported(
        title=gettext("Backups"),
        columns=[
            Column(gettext("File"), width=44),
            Column(gettext("Made"), "time", 24),
            Column(gettext("What"), width=24),
            Column(gettext("By"), width=24),
            Column(gettext("Days"), width=26),
            Column(gettext("Events"), "count"),
            Column(gettext("Bytes"), "count", sum=True),
            Column("SHA-256", width=66),
        ],
        pages=at_once(
            [
                [
                    each.file,
                    each.made_at,
                    words.word(words.TASKS, each.kind),
                    actors.get(each.made_by) or words.actor(each.made_by),
                    each.period,
                    each.events,
                    each.bytes,
                    each.sha256,
                ]
                for each in found
            ]
        ),
        facts=await facts_of(request, {}),
    )
    return await send_list(request, exported)

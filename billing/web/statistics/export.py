"""The statistics as files: every table of the page in full, at one position of the log."""

from collections.abc import Iterable, Sequence
from typing import Any

from sanic import Blueprint, Request
from sanic.exceptions import NotFound

from billing.queries.names import account_names
from billing.queries.statistics import Figures, Split
from billing.web.files.delivery import Answer, deliver
from billing.web.files.tables import Cells, Sheet, write_csv, write_workbook
from billing.web.files.xlsx import Column
from billing.web.kit import words
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.filters import read_listing
from billing.web.kit.formats import day
from billing.web.kit.i18n import gettext
from billing.web.kit.reach import reach_of
from billing.web.services.export_jobs import Job, counted, in_thread
from billing.web.site import site_of
from billing.web.statistics import view as views
from billing.web.statistics.statistics import Found, find

EVERY_ACCOUNT = 1_000_000  # more than a sheet can hold
blueprint = Blueprint("statistics_export")


@blueprint.get("/statistics/export.xlsx")
@admits(*EVERY_ROLE, limited=True, scope="calls")
async def export_excel(request: Request[Any, Any]) -> Answer:
    """Send a workbook with the sheets accounts, periods, destinations and hours."""
    view, found = await _read(request)
    facts = await _facts(request, view, found)

    def write(job: Job) -> None:
        sheets = list(_sheets(view, found).values())
        write_workbook(job.file, sheets, facts, view.wanted.zone)
        job.rows = sum(len(list(sheet.rows)) for sheet in sheets)

    return await deliver(request, _name(view, found, "xlsx"), in_thread(write))


@blueprint.get("/statistics/accounts.csv", name="accounts")
@blueprint.get("/statistics/periods.csv", name="periods")
@blueprint.get("/statistics/destinations.csv", name="destinations")
@blueprint.get("/statistics/hours.csv", name="hours")
@admits(*EVERY_ROLE, limited=True, scope="calls")
async def export_csv(request: Request[Any, Any]) -> Answer:
    """Send one table of the page as CSV; a single account has no table of accounts."""
    view, found = await _read(request)
    table = request.path.rpartition("/")[2].removesuffix(".csv")
    sheet = _sheets(view, found).get(table)
    if sheet is None:
        raise NotFound
    rows = [*sheet.rows, *([sheet.total] if sheet.total else [])]

    def write(job: Job) -> None:
        write_csv(job.file, sheet.columns, counted(job, rows), view.wanted.zone)

    return await deliver(request, _name(view, found, "csv"), in_thread(write))


async def _read(request: Request[Any, Any]) -> tuple[views.View, Found]:
    site = site_of(request)
    given = read_listing(request, views.NAMES, tuple[str]).given
    view = views.read_view(given, site.zone, reach_of(request))
    async with site.pool.connection() as connection:
        return view, await find(connection, view, top=EVERY_ACCOUNT)


def _name(view: views.View, found: Found, ending: str) -> str:
    """Return the file name: the period, and the log position of the figures."""
    first, last = view.wanted.period.first, view.wanted.period.last
    name, position = gettext("statistics"), gettext("position")
    return f"{name}_{first}_{last}_{position}_{found.position}.{ending}"


async def _facts(
    request: Request[Any, Any], view: views.View, found: Found
) -> list[tuple[str, str]]:
    """Return the filter in words, and the time of the figures."""
    wanted, before = view.wanted, view.before.period
    streams = [f"company:{wanted.company_id}", wanted.account]
    async with site_of(request).pool.connection() as connection:
        names = await account_names(connection, wanted.reach, streams)
    said = [
        (gettext("From"), day(wanted.period.first)),
        (gettext("To"), day(wanted.period.last)),
        (gettext("Group by"), words.word(views.KINDS, wanted.kind)),
        (gettext("Company"), names.get(streams[0], wanted.company_id)),
        (gettext("Account"), names.get(wanted.account, wanted.account)),
        (gettext("Log position"), str(found.position)),
        (gettext("Previous period"), f"{day(before.first)} / {day(before.last)}"),
        (gettext("Calls in the previous period"), str(found.before.total.calls)),
    ]
    return [(name, value) for name, value in said if value]


def _sheets(view: views.View, found: Found) -> dict[str, Sheet]:
    classes, currencies = views.classes_of(found.total), sorted(found.total.total.amounts)
    columns = _columns(classes, currencies)
    without_classes = _columns([], currencies)

    def row(split: Split) -> list[Any]:
        return _row(split, [code for code, _ in classes], currencies)

    def table(title: str, heads: Sequence[Column], rows: Iterable[Cells]) -> Sheet:
        total = [gettext("Total"), *[None] * (len(heads) - 1), *row(found.total)]
        return Sheet(title, [*heads, *columns], list(rows), total)

    def by_destination() -> Sheet:
        """The sums of destinations are stored without the class of call."""
        heads = [Column(gettext("Destination"), width=30), *without_classes]
        areas = [[area, *_row(Split(figures), [], currencies)] for area, figures in found.areas]
        total = [gettext("Total"), *_row(found.total, [], currencies)]
        return Sheet(gettext("Destinations"), heads, areas, total)

    label = Column(gettext("Account"), width=30)
    sheets = {}
    if found.ranking:
        rows = [[each.name, each.company, *row(each.split)] for each in found.ranking.rows]
        if found.rest.total.calls:
            rest = gettext("Others, and calls without such an account")
            rows.append([rest, "", *row(found.rest)])
        heads = [label, Column(gettext("Company"), width=30)]
        sheets["accounts"] = table(gettext("Accounts"), heads, rows)
    periods = [[bucket.label, *row(bucket.split)] for bucket in found.periods]
    zone = view.wanted.zone.key
    period = Column(gettext("Period (%(zone)s)", zone=zone), width=26)
    sheets["periods"] = table(words.word(views.GRAINS, view.grain), [period], periods)
    sheets["destinations"] = by_destination()
    hours = [
        [words.word(words.WEEKDAYS, str(weekday)), hour, *row(split)]
        for (weekday, hour), split in sorted(found.weekdays.items())
    ]
    heads = [Column(gettext("Weekday")), Column(gettext("Hour (%(zone)s)", zone=zone), "count", 12)]
    sheets["hours"] = table(gettext("Hours of the week"), heads, hours)
    return sheets


def _columns(classes: Sequence[tuple[str, str]], currencies: Sequence[str]) -> list[Column]:
    columns = [
        Column(gettext("Calls"), "count", 12),
        Column(gettext("Answered calls"), "count", 12),
        Column(gettext("Talk time"), "talk", 14),
        Column(gettext("Billed time"), "duration", 14),
    ]
    columns += [Column(_amount(currency), "exact", 18) for currency in currencies]
    for _, name in classes:
        columns.append(Column(f"{name}: {gettext('Calls')}", "count", 18))
        columns.append(Column(f"{name}: {gettext('Billed time')}", "duration", 18))
        columns += [Column(f"{name}: {_amount(each)}", "exact", 20) for each in currencies]
    return columns


def _amount(currency: str) -> str:
    return gettext("Amount in %(currency)s", currency=currency)


def _row(split: Split, classes: Sequence[str], currencies: Sequence[str]) -> list[Any]:
    total = split.total
    row: list[Any] = [total.calls, total.answered, total.talk_ms, total.billed_seconds]
    row += [total.amounts.get(currency, 0) for currency in currencies]
    for code in classes:
        figures = split.classes.get(code, Figures())
        row += [figures.calls, figures.billed_seconds]
        row += [figures.amounts.get(currency, 0) for currency in currencies]
    return row

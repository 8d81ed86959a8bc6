"""The statements of an account: the list, one month, and its files."""

import asyncio
from typing import Any

from sanic import Blueprint, Request
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse, raw

from billing.queries import money
from billing.queries.statements import BilledCall, Statement, billed_calls, find_statement
from billing.queries.wallet_months import totals_of
from billing.web.accounts.account import PAGE_OF, view_of
from billing.web.accounts.statement_files import call_fields, statement_pdf, write_statement
from billing.web.files.delivery import Answer, deliver
from billing.web.files.lists import Field, ListFile, cells_of, columns_of, send_list
from billing.web.files.tables import attachment, write_csv
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.i18n import gettext, language
from billing.web.kit.pages import page
from billing.web.services.export_jobs import Job, counted, in_thread
from billing.web.site import Site, site_of

SHOWN = 100  # calls on the page
blueprint = Blueprint("statements")


async def _statement(request: Request[Any, Any], account: str, month: str) -> Statement:
    site, view = site_of(request), await view_of(request, account)
    found = await asyncio.to_thread(find_statement, site.store, account, month)
    if found:
        event, at = found.event, found.recorded.envelope.recorded_at
        return Statement(
            view,
            month,
            event.opening_micros,
            event.totals,
            at,
            event.rounding_micros,
            event.heading,
        )
    async with site.pool.connection() as connection:
        rows = await money.month_rows(connection, account, month)
        is_open = month == await money.open_month(connection)
        opening = await money.opening_of(connection, account, month)
    if not is_open or not view.own_wallet:
        raise NotFound
    return Statement(view, month, opening, totals_of(rows))


@blueprint.get("/accounts/<account:str>/statements", unquote=True)
@admits(*EVERY_ROLE, limited=True)
async def list_statements(request: Request[Any, Any], account: str) -> HTTPResponse:
    """Show the months of an account, newest first."""
    view = await view_of(request, account)
    async with site_of(request).pool.connection() as connection:
        closed = await money.statements_of(connection, account)
        now = await money.open_month(connection)
    return page(
        request,
        "accounts/statements.html",
        page=PAGE_OF[view.kind],
        view=view,
        closed=closed,
        open_month=now,
    )


@blueprint.get("/accounts/<account:str>/statements/export.csv", name="st_csv", unquote=True)
@blueprint.get("/accounts/<account:str>/statements/export.xlsx", name="st_excel", unquote=True)
@admits(*EVERY_ROLE, limited=True, scope="accounts")
async def export_statements(request: Request[Any, Any], account: str) -> Answer:
    """Send the closed months of an account as a file."""
    await view_of(request, account)
    async with site_of(request).pool.connection() as connection:
        closed = await money.statements_of(connection, account)
    file = ListFile(
        title=gettext("Statements"), fields=_fields(), rows=closed, given={"account": account}
    )
    return await send_list(request, file)


def _fields() -> list[Field[money.StatementRow]]:
    return [
        Field(gettext("Month"), lambda row: row.month, width=12),
        Field(gettext("Opening balance"), lambda row: row.opening_micros, "amount"),
        Field(gettext("Topped up"), lambda row: row.credited_micros, "amount", sum=True),
        Field(gettext("Calls"), lambda row: row.calls, "count", sum=True),
        Field(gettext("Charged"), lambda row: row.charged_micros, "exact", sum=True),
        Field(gettext("Rounding"), lambda row: row.rounding_micros, "exact", sum=True),
        Field(gettext("Closing balance"), lambda row: row.closing_micros, "amount"),
        Field(gettext("Currency"), lambda row: row.currency, "currency", 10),
        Field(gettext("Closed"), lambda row: row.closed_at, "time", 24),
    ]


@blueprint.get("/accounts/<account:str>/statements/<month:str>", unquote=True)
@admits(*EVERY_ROLE, limited=True)
async def show_statement(request: Request[Any, Any], account: str, month: str) -> HTTPResponse:
    """Show a month: its opening balance, its movements, its closing balance."""
    statement = await _statement(request, account, month)
    calls: list[BilledCall] = []
    if statement.closed_at:
        calls = await asyncio.to_thread(_calls, site_of(request), account, month, SHOWN + 1)
    return page(
        request,
        "accounts/statement.html",
        page=PAGE_OF[statement.view.kind],
        statement=statement,
        view=statement.view,
        calls=calls[:SHOWN],
        more=len(calls) > SHOWN,
    )


def _calls(site: Site, account: str, month: str, most: int) -> list[BilledCall]:
    with site.connect() as connection:
        found = []
        for call in billed_calls(connection, site.store, account, month):
            found.append(call)
            if len(found) == most:
                break
        return found


def _name(statement: Statement, ending: str) -> str:
    owner = "".join(each if each.isalnum() else "-" for each in statement.name.lower())
    name = gettext("statement")
    return f"{name}-{owner}-{statement.month}.{ending}"


async def _closed(request: Request[Any, Any], account: str, month: str) -> Statement:
    statement = await _statement(request, account, month)
    if not statement.closed_at:
        raise NotFound
    return statement


@blueprint.get("/accounts/<account:str>/statements/<month:str>/statement.pdf", unquote=True)
@admits(*EVERY_ROLE, limited=True, scope="accounts")
async def send_pdf(request: Request[Any, Any], account: str, month: str) -> HTTPResponse:
    """Send a closed month as a PDF."""
    statement = await _closed(request, account, month)
    zone = site_of(request).zone
    data = await asyncio.to_thread(statement_pdf, statement, zone, language())
    return raw(data, 200, attachment(_name(statement, "pdf")), "application/pdf")


@blueprint.get("/accounts/<account:str>/statements/<month:str>/statement.xlsx", unquote=True)
@admits(*EVERY_ROLE, limited=True, scope="accounts")
async def send_excel(request: Request[Any, Any], account: str, month: str) -> Answer:
    """Send a closed month with its calls as a workbook."""
    statement, site, said = await _closed(request, account, month), site_of(request), language()

    def write(job: Job) -> None:
        with site.connect_background() as connection:
            calls = billed_calls(connection, site.store, account, month)
            write_statement(job.file, statement, counted(job, calls), site.zone, said)

    return await deliver(request, _name(statement, "xlsx"), in_thread(write))


@blueprint.get("/accounts/<account:str>/statements/<month:str>/calls.csv", unquote=True)
@admits(*EVERY_ROLE, limited=True, scope="calls")
async def send_calls(request: Request[Any, Any], account: str, month: str) -> Answer:
    """Send every call of a closed month as CSV."""
    statement, site = await _closed(request, account, month), site_of(request)
    fields = call_fields()

    def write(job: Job) -> None:
        with site.connect_background() as connection:
            calls = counted(job, billed_calls(connection, site.store, account, month))
            rows = (cells_of(fields, each) for each in calls)
            write_csv(job.file, columns_of(fields), rows, site.zone)

    return await deliver(request, _name(statement, "csv"), in_thread(write))

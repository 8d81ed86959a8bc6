"""The log of operations and the log of sign-ins: lists with filters, and their exports."""

from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.commands.sessions import end_expired
from billing.queries import operations, sign_ins
from billing.queries.paging import Page, Place
from billing.web.files.facts import facts_of
from billing.web.files.lists import Answer, Exported, all_pages, send_list
from billing.web.files.xlsx import Column
from billing.web.kit import words
from billing.web.kit.access import ADMINISTRATORS_AND_AUDITORS, admits
from billing.web.kit.filters import Listing, choice, presets, read_listing, read_period
from billing.web.kit.i18n import gettext
from billing.web.kit.pages import is_partial, page
from billing.web.kit.reach import reach_of
from billing.web.people.operation_words import changes, name_of, object_of, said
from billing.web.site import site_of

PAGE_SIZE, AT_ONCE = 50, 1_000  # rows of a page, and of an export read at a time
blueprint = Blueprint("logs")


def _operation_filter(
    request: Request[Any, Any],
) -> tuple[operations.OperationFilter, Listing]:
    names = ("from", "to", "q", "actor", "kind")
    listing = read_listing(request, names, operations.KEY_TYPE)
    given, zone = listing.given, site_of(request).zone
    return operations.OperationFilter(
        reach=reach_of(request),
        period=read_period(given, datetime.now(UTC).astimezone(zone).date()),
        zone=zone,
        actor=given.get("actor", ""),
        kind=given.get("kind", ""),
        text=given.get("q", ""),
    ), listing


@blueprint.get("/operations")
@admits(*ADMINISTRATORS_AND_AUDITORS, limited=True)
async def list_operations(request: Request[Any, Any]) -> HTTPResponse:
    """What was done, newest first: by whom, from where, before and after."""
    wanted, listing = _operation_filter(request)
    site = site_of(request)
    async with site.pool.connection() as connection:
        found = await operations.list_operations(connection, wanted, listing.place, PAGE_SIZE)
        actors, kinds = await operations.operation_choices(connection, wanted.reach)
    today = datetime.now(UTC).astimezone(site.zone).date()
    return page(
        request,
        "people/_operation_results.html" if is_partial(request) else "people/operations.html",
        page="operations",
        wanted=wanted,
        given=listing.given,
        found=found,
        actors=[(code, words.actor(code)) for code in actors],
        kinds=[(code, words.word(words.OBJECTS, code)) for code in kinds],
        presets=presets(today),
        today=today,
        path="/operations",
        said=said,
        changes=changes,
        object_of=object_of,
        name_of=name_of,
    )


@blueprint.get("/operations/export.csv", name="operations_csv")
@blueprint.get("/operations/export.xlsx", name="operations_excel")
@admits(*ADMINISTRATORS_AND_AUDITORS, limited=True)
async def export_operations(request: Request[Any, Any]) -> Answer:
    """The operations of the filter."""
    wanted, listing = _operation_filter(request)
    columns = [
        Column(gettext("Date and time"), "time", 24),
        Column(gettext("By"), width=20),
        Column(gettext("Address"), width=16),
        Column(gettext("Object"), width=30),
        Column(gettext("What happened"), width=34),
        Column(gettext("Details"), width=80),
        Column(gettext("API token"), width=20),
        Column(gettext("Position"), "count", 12),
    ]

    def row_of(row: operations.OperationRow) -> list[Any]:
        return [
            row.recorded_at,
            words.actor(row.actor),
            row.address,
            f"{words.word(words.OBJECTS, row.kind)}: {name_of(row)}",
            said(row),
            "; ".join(changes(row, wanted.zone)),
            row.token,
            row.position,
        ]

    def read(connection: Any, place: Place | None) -> Awaitable[Page[Any]]:
        return operations.list_operations(connection, wanted, place, AT_ONCE)

    exported = Exported(
        title=gettext("Operations"),
        columns=columns,
        pages=all_pages(site_of(request), read, operations.KEY_TYPE, row_of),
        facts=await facts_of(request, listing.given, wanted.period),
    )
    return await send_list(request, exported)


def _sign_in_filter(request: Request[Any, Any]) -> tuple[sign_ins.SignInFilter, Listing]:
    listing = read_listing(request, ("from", "to", "q", "kind", "reason"), sign_ins.KEY_TYPE)
    given, zone = listing.given, site_of(request).zone
    return sign_ins.SignInFilter(
        period=read_period(given, datetime.now(UTC).astimezone(zone).date()),
        zone=zone,
        kind=choice(given, "kind", words.SIGN_INS),
        reason=choice(given, "reason", words.SIGN_IN_REASONS),
        text=given.get("q", ""),
    ), listing


@blueprint.get("/sign-ins")
@admits(*ADMINISTRATORS_AND_AUDITORS)
async def list_sign_ins(request: Request[Any, Any]) -> HTTPResponse:
    """Who came in, who was refused, who left, newest first."""
    wanted, listing = _sign_in_filter(request)
    site = site_of(request)
    async with site.pool.connection() as connection:
        # Nobody may have signed in since they ran out.
        await end_expired(connection, datetime.now(UTC))
        found = await sign_ins.list_sign_ins(connection, wanted, listing.place, PAGE_SIZE)
    today = datetime.now(UTC).astimezone(site.zone).date()
    return page(
        request,
        "people/_sign_in_results.html" if is_partial(request) else "people/sign_ins.html",
        page="sign-ins",
        wanted=wanted,
        given=listing.given,
        found=found,
        presets=presets(today),
        today=today,
        path="/sign-ins",
    )


@blueprint.get("/sign-ins/export.csv", name="sign_ins_csv")
@blueprint.get("/sign-ins/export.xlsx", name="sign_ins_excel")
@admits(*ADMINISTRATORS_AND_AUDITORS)
async def export_sign_ins(request: Request[Any, Any]) -> Answer:
    """The sign-ins of the filter."""
    wanted, listing = _sign_in_filter(request)
    async with site_of(request).pool.connection() as connection:
        await end_expired(connection, datetime.now(UTC))
    columns = [
        Column(gettext("Date and time"), "time", 24),
        Column(gettext("What happened"), width=20),
        Column(gettext("Reason"), width=28),
        Column(gettext("Name"), width=20),
        Column(gettext("Address"), width=16),
        Column(gettext("Browser"), width=60),
        Column(gettext("Ended by"), width=20),
    ]

    def row_of(row: sign_ins.SignInRow) -> list[Any]:
        return [
            row.at,
            words.word(words.SIGN_INS, row.kind),
            words.word(words.SIGN_IN_REASONS, row.reason),
            row.sign_in_name,
            row.address,
            row.browser,
            words.actor(row.ended_by) if row.ended_by else "",
        ]

    def read(connection: Any, place: Place | None) -> Awaitable[Page[Any]]:
        return sign_ins.list_sign_ins(connection, wanted, place, AT_ONCE)

    exported = Exported(
        title=gettext("Sign-ins"),
        columns=columns,
        pages=all_pages(site_of(request), read, sign_ins.KEY_TYPE, row_of),
        facts=await facts_of(request, listing.given, wanted.period),
    )
    return await send_list(request, exported)

"""The log of operations and the log of sign-ins: lists with filters, and their exports."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.commands.sessions import end_expired
from billing.queries import operations, sign_ins
from billing.queries.names import every_actor, stream_names
from billing.web.files.delivery import Answer
from billing.web.files.lists import Field, ListFile, all_pages, send_list
from billing.web.kit import words
from billing.web.kit.access import ADMINISTRATORS_AND_AUDITORS, admits
from billing.web.kit.filters import Listing, choice, read_listing, read_period
from billing.web.kit.i18n import gettext
from billing.web.kit.lists import PAGE_SIZE, days_to_choose, list_page
from billing.web.kit.reach import reach_of
from billing.web.people.operation_words import changes, name_of, object_of, said
from billing.web.site import site_of

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
    """Show the operations, newest first, with their author, IP address, and old and new values."""
    wanted, listing = _operation_filter(request)
    site = site_of(request)
    async with site.pool.connection() as connection:
        found = await operations.list_operations(connection, wanted, listing.place, PAGE_SIZE)
        actors, kinds = await operations.operation_choices(connection, wanted.reach)
        names = await stream_names(connection, {*actors, *(row.actor for row in found.rows)})
    return list_page(
        request,
        "people/operations.html",
        "people/_operation_results.html",
        listing,
        found,
        wanted=wanted,
        names=names,
        actors=sorted(
            ((code, words.actor(code, names)) for code in actors), key=lambda pair: pair[1].lower()
        ),
        kinds=[(code, words.word(words.OBJECTS, code)) for code in kinds],
        **days_to_choose(site.zone),
        said=said,
        changes=changes,
        object_of=object_of,
        name_of=name_of,
    )


@blueprint.get("/operations/export.csv", name="operations_csv")
@blueprint.get("/operations/export.xlsx", name="operations_excel")
@admits(*ADMINISTRATORS_AND_AUDITORS, limited=True)
async def export_operations(request: Request[Any, Any]) -> Answer:
    """Send the operations of the filter as a file."""
    wanted, listing = _operation_filter(request)
    async with site_of(request).pool.connection() as connection:
        names = await every_actor(connection)
    file = ListFile(
        title=gettext("Operations"),
        fields=_operation_fields(wanted.zone, names),
        rows=all_pages(site_of(request), operations.list_operations, wanted, operations.KEY_TYPE),
        given=listing.given,
        period=wanted.period,
    )
    return await send_list(request, file)


def _operation_fields(
    zone: ZoneInfo, names: dict[str, str]
) -> list[Field[operations.OperationRow]]:
    def changed(row: operations.OperationRow) -> str:
        return "; ".join(changes(row, zone))

    return [
        Field(gettext("Date and time"), lambda row: row.recorded_at, "time", 24),
        Field(gettext("By"), lambda row: words.actor(row.actor, names), width=20),
        Field(gettext("IP address"), lambda row: words.address(row.address), width=16),
        Field(gettext("Object"), _object, width=30),
        Field(gettext("What happened"), said, width=34),
        Field(gettext("Details"), changed, width=80),
        Field(gettext("API token"), lambda row: row.token, width=20),
        Field(gettext("Position"), lambda row: row.position, "count", 12),
    ]


def _object(row: operations.OperationRow) -> str:
    return f"{words.word(words.OBJECTS, row.kind)}: {name_of(row)}"


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
    """Show sign-ins, failed attempts and sign-outs, newest first."""
    wanted, listing = _sign_in_filter(request)
    site = site_of(request)
    async with site.pool.connection() as connection:
        # Sessions that ran out are recorded here if nobody signed in since.
        await end_expired(connection, datetime.now(UTC))
        found = await sign_ins.list_sign_ins(connection, wanted, listing.place, PAGE_SIZE)
        names = await stream_names(connection, {row.ended_by for row in found.rows})
    return list_page(
        request,
        "people/sign_ins.html",
        "people/_sign_in_results.html",
        listing,
        found,
        wanted=wanted,
        names=names,
        **days_to_choose(site.zone),
    )


@blueprint.get("/sign-ins/export.csv", name="sign_ins_csv")
@blueprint.get("/sign-ins/export.xlsx", name="sign_ins_excel")
@admits(*ADMINISTRATORS_AND_AUDITORS)
async def export_sign_ins(request: Request[Any, Any]) -> Answer:
    """Send the sign-ins of the filter as a file."""
    wanted, listing = _sign_in_filter(request)
    async with site_of(request).pool.connection() as connection:
        await end_expired(connection, datetime.now(UTC))
        names = await every_actor(connection)
    file = ListFile(
        title=gettext("Sign-ins"),
        fields=_sign_in_fields(names),
        rows=all_pages(site_of(request), sign_ins.list_sign_ins, wanted, sign_ins.KEY_TYPE),
        given=listing.given,
        period=wanted.period,
    )
    return await send_list(request, file)


def _sign_in_fields(names: dict[str, str]) -> list[Field[sign_ins.SignInRow]]:
    def ended_by(row: sign_ins.SignInRow) -> str:
        return words.actor(row.ended_by, names) if row.ended_by else ""

    return [
        Field(gettext("Date and time"), lambda row: row.at, "time", 24),
        Field(gettext("What happened"), lambda row: words.word(words.SIGN_INS, row.kind), width=20),
        Field(gettext("Reason"), _reason, width=28),
        Field(gettext("Name"), lambda row: row.sign_in_name, width=20),
        Field(gettext("IP address"), lambda row: words.address(row.address), width=16),
        Field(gettext("Browser"), lambda row: row.browser, width=60),
        Field(gettext("Ended by"), ended_by, width=20),
    ]


def _reason(row: sign_ins.SignInRow) -> str:
    return words.word(words.SIGN_IN_REASONS, row.reason)

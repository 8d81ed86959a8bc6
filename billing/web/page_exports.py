"""The short lists of pages as files: who waits, what was asked for, statements, submissions."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from sanic import Blueprint, Request
from sanic.exceptions import NotFound

from billing.queries import administrators, money, suspended
from billing.queries.device import Submission, submissions_before
from billing.queries.names import account_names, actor_names
from billing.queries.paging import Page, Place
from billing.rerating import queue
from billing.web.accounts.account import view_of
from billing.web.devices.device import find_device
from billing.web.files.facts import facts_of
from billing.web.files.lists import Answer, Exported, all_pages, at_once, send_list
from billing.web.files.xlsx import Column
from billing.web.kit import words
from billing.web.kit.access import ADMINISTRATORS, EVERY_ROLE, admits
from billing.web.kit.filters import read_listing
from billing.web.kit.i18n import gettext
from billing.web.kit.reach import reach_of
from billing.web.site import site_of

AT_ONCE = 2_000  # rows read at a time
MOST_CORRECTIONS = 10_000
blueprint = Blueprint("page_exports")
Row = list[Any]


@blueprint.get("/administrators/export.csv", name="administrators_csv")
@blueprint.get("/administrators/export.xlsx", name="administrators_excel")
@admits(*ADMINISTRATORS)
async def export_administrators(request: Request[Any, Any]) -> Answer:
    """Who may sign in."""
    given = read_listing(request, ("q",), administrators.KEY_TYPE).given

    def read(connection: Any, place: Place | None) -> Awaitable[Page[Any]]:
        text = given.get("q", "")
        return administrators.list_administrators(connection, text, place, AT_ONCE)

    def row_of(row: administrators.AdministratorRow) -> Row:
        state = words.word(words.DEVICE_STATES, "enabled" if row.enabled else "disabled")
        role = words.word(words.ROLES, row.role)
        factor = gettext("yes") if row.two_factor else gettext("no")
        return [row.sign_in_name, row.name, role, state, factor, row.sessions, row.seen_at]

    exported = Exported(
        title=gettext("Administrators"),
        columns=[
            Column(gettext("Sign-in name"), width=24),
            Column(gettext("Name"), width=30),
            Column(gettext("Role"), width=16),
            Column(gettext("State"), width=14),
            Column(gettext("Two-factor"), width=14),
            Column(gettext("Open sessions"), "count"),
            Column(gettext("Last seen"), "time", 24),
        ],
        pages=all_pages(site_of(request), read, administrators.KEY_TYPE, row_of),
        facts=await facts_of(request, given),
    )
    return await send_list(request, exported)


@blueprint.get("/suspended/export.csv", name="suspended_csv")
@blueprint.get("/suspended/export.xlsx", name="suspended_excel")
@admits(*EVERY_ROLE, limited=True)
async def export_suspended(request: Request[Any, Any]) -> Answer:
    """What waits at each device, by reason. The calls themselves are a filter of the call list."""
    async with site_of(request).pool.connection() as connection:
        found = await suspended.waiting_by_device(connection, reach_of(request), most=None)
    exported = Exported(
        title=gettext("Suspended calls"),
        columns=[
            Column(gettext("Device"), width=30),
            Column(gettext("Reason"), width=26),
            Column(gettext("Calls"), "count", sum=True),
            Column(gettext("Talk time"), "talk", sum=True),
            Column(gettext("Oldest"), "time", 24),
            Column(gettext("Newest"), "time", 24),
        ],
        pages=at_once([_waiting_row(each) for each in found]),
        facts=await facts_of(request, {}),
    )
    return await send_list(request, exported)


def _waiting_row(row: suspended.Waiting) -> Row:
    reason = words.word(words.REASONS, row.reason)
    return [row.device, reason, row.calls, row.talk_ms, row.oldest, row.newest]


@blueprint.get("/corrections/export.csv", name="corrections_csv")
@blueprint.get("/corrections/export.xlsx", name="corrections_excel")
@admits(*EVERY_ROLE)
async def export_corrections(request: Request[Any, Any]) -> Answer:
    """Every re-rating and recycling that was asked for, the newest first."""
    async with site_of(request).pool.connection() as connection:
        found = await queue.newest(connection, MOST_CORRECTIONS)
        actors = await actor_names(connection, [each.actor for each in found])
    exported = Exported(
        title=gettext("Re-rating"),
        columns=[
            Column(gettext("Asked for"), "time", 24),
            Column(gettext("What"), width=28),
            Column(gettext("State"), width=18),
            Column(gettext("By"), width=24),
            Column(gettext("From"), "time", 24),
            Column(gettext("Until before"), "time", 24),
            Column(gettext("Calls looked at"), "count", sum=True),
        ],
        pages=at_once(
            [
                [
                    each.asked_at,
                    words.word(words.CORRECTIONS, each.kind),
                    words.word(words.CORRECTION_STATES, each.state),
                    actors.get(each.actor, each.actor),
                    each.filter.begin,
                    each.filter.end,
                    each.looked_at,
                ]
                for each in found
            ]
        ),
        facts=await facts_of(request, {}),
    )
    return await send_list(request, exported)


@blueprint.get("/corrections/<correction_id:str>/export.csv", name="correction_csv")
@blueprint.get("/corrections/<correction_id:str>/export.xlsx", name="correction_excel")
@admits(*EVERY_ROLE, limited=True)
async def export_correction(request: Request[Any, Any], correction_id: str) -> Answer:
    """What one does to each company."""
    async with site_of(request).pool.connection() as connection:
        correction = await queue.find(connection, correction_id)
        if correction is None:
            raise NotFound
        streams = [f"company:{line.company_id}" for line in correction.lines]
        names = await account_names(connection, reach_of(request), streams)
    exported = Exported(
        title=words.word(words.CORRECTIONS, correction.kind),
        columns=[
            Column(gettext("Company"), width=30),
            Column(gettext("Calls"), "count", sum=True),
            Column(gettext("With another rating"), "count", sum=True),
            Column(gettext("Not to be rated"), "count", sum=True),
            Column(gettext("Before"), "exact", sum=True),
            Column(gettext("After"), "exact", sum=True),
            Column(gettext("Difference"), "exact", sum=True),
            Column(gettext("Currency"), "currency", 10),
        ],
        pages=at_once(
            [
                [
                    names.get(f"company:{line.company_id}", line.company_id),
                    line.calls,
                    line.changed,
                    line.stuck,
                    line.old_micros,
                    line.new_micros,
                    line.new_micros - line.old_micros,
                    line.currency,
                ]
                for line in correction.lines
            ]
        ),
        facts=[
            (gettext("State"), words.word(words.CORRECTION_STATES, correction.state)),
            *await facts_of(request, {}),
        ],
    )
    return await send_list(request, exported)


@blueprint.get("/accounts/<account:str>/statements/export.csv", name="st_csv", unquote=True)
@blueprint.get("/accounts/<account:str>/statements/export.xlsx", name="st_excel", unquote=True)
@admits(*EVERY_ROLE, limited=True, scope="accounts")
async def export_statements(request: Request[Any, Any], account: str) -> Answer:
    """The closed months of an account."""
    await view_of(request, account)
    async with site_of(request).pool.connection() as connection:
        closed = await money.statements_of(connection, account)
    exported = Exported(
        title=gettext("Statements"),
        columns=[
            Column(gettext("Month"), width=12),
            Column(gettext("Opening balance"), "amount"),
            Column(gettext("Put on the account"), "amount", sum=True),
            Column(gettext("Calls"), "count", sum=True),
            Column(gettext("Charged"), "amount", sum=True),
            Column(gettext("Closing balance"), "amount"),
            Column(gettext("Currency"), "currency", 10),
            Column(gettext("Closed"), "time", 24),
        ],
        pages=at_once(
            [
                [
                    each.month,
                    each.opening_micros,
                    each.credited_micros,
                    each.calls,
                    each.charged_micros,
                    each.closing_micros,
                    each.currency,
                    each.closed_at,
                ]
                for each in closed
            ]
        ),
        facts=await facts_of(request, {"account": account}),
    )
    return await send_list(request, exported)


@blueprint.get("/devices/<device_id:str>/submissions/export.csv", name="submissions_csv")
@blueprint.get("/devices/<device_id:str>/submissions/export.xlsx", name="submissions_excel")
@admits(*EVERY_ROLE, limited=True)
async def export_submissions(request: Request[Any, Any], device_id: str) -> Answer:
    """Everything a device submitted of late, as far as the log of submissions goes back."""
    await find_device(request, device_id)

    def read(connection: Any, place: Place | None) -> Awaitable[Page[Any]]:
        return submissions_before(connection, device_id, place, AT_ONCE)

    exported = Exported(
        title=gettext("Submissions"),
        columns=[
            Column(gettext("Received"), "time", 24),
            Column(gettext("Answer"), "count", 10),
            Column(gettext("Bytes"), "count", sum=True),
            Column(gettext("Accepted"), "count", sum=True),
            Column(gettext("Duplicates"), "count", sum=True),
            Column(gettext("Conflicts"), "count", sum=True),
            Column(gettext("Suspended"), "count", sum=True),
            Column(gettext("Detail"), width=50),
            Column(gettext("Address"), width=18),
            Column(gettext("Account"), width=24),
        ],
        pages=all_pages(site_of(request), read, tuple[int], _submission_row),
        facts=await facts_of(request, {"device": device_id}),
    )
    return await send_list(request, exported)


def _submission_row(row: Submission) -> Row:
    counts = [row.bytes, row.accepted, row.duplicate, row.conflict, row.suspended]
    return [row.at, row.status, *counts, row.detail, row.address, row.account]


@blueprint.get("/route-prefixes/export.csv", name="prefixes_csv")
@blueprint.get("/route-prefixes/export.xlsx", name="prefixes_excel")
@admits(*EVERY_ROLE)
async def export_general_prefixes(request: Request[Any, Any]) -> Answer:
    """The route prefixes of all devices, in order."""
    return await _send_prefixes(request, "")


@blueprint.get("/devices/<device_id:str>/prefixes/export.csv", name="own_prefixes_csv")
@blueprint.get("/devices/<device_id:str>/prefixes/export.xlsx", name="own_prefixes_excel")
@admits(*EVERY_ROLE)
async def export_prefixes(request: Request[Any, Any], device_id: str) -> Answer:
    """The route prefixes of a device, in order."""
    await find_device(request, device_id)
    return await _send_prefixes(request, device_id)


async def _send_prefixes(request: Request[Any, Any], device_id: str) -> Answer:
    rules = await asyncio.to_thread(site_of(request).knowledge.route_prefixes, device_id)
    exported = Exported(
        title=gettext("Route prefixes"),
        columns=[
            Column(gettext("Order"), "count"),
            Column(gettext("Prefix")),
            Column(gettext("Replacement")),
            Column(gettext("Shortest rest"), "count"),
            Column(gettext("Longest rest"), "count"),
        ],
        pages=at_once(
            [
                [rule.order, rule.prefix, rule.replacement, rule.min_rest, rule.max_rest]
                for rule in rules
            ]
        ),
        facts=await facts_of(request, {"device": device_id}),
    )
    return await send_list(request, exported)

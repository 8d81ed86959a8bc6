"""Number attribution: the area and type of numbers; list, test, edit, export."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.aggregates.number_plan import IMPORTED, SEED, TYPES, PlanKey
from billing.commands.number_plan import ChangeNumberPlan, change_number_plan
from billing.decks import cells
from billing.periods import UNDATED
from billing.queries import number_plan
from billing.queries.names import company_choices
from billing.queries.reach import EVERYTHING
from billing.rating.number_plan import PlanEntry
from billing.values import Refused
from billing.web.acting import carry_out, go_on
from billing.web.files.delivery import Answer
from billing.web.files.lists import Field, ListFile, all_pages, send_list
from billing.web.kit import words
from billing.web.kit.access import ADMINISTRATORS, EVERY_ROLE, admits
from billing.web.kit.filters import Listing, choice, read_listing
from billing.web.kit.forms import Form
from billing.web.kit.i18n import N_, gettext
from billing.web.kit.lists import PAGE_SIZE, list_page
from billing.web.kit.pages import page
from billing.web.rates.rate_groups import act
from billing.web.site import site_of

LONGEST = 15  # digits of a number
LAYERS = {IMPORTED: N_("Imported or edited"), SEED: N_("Built-in")}
blueprint = Blueprint("number_plan")


@blueprint.get("/number-plan")
@admits(*EVERY_ROLE)
async def list_plan(request: Request[Any, Any]) -> HTTPResponse:
    """Show the entries of the filter, and the result for a tested number."""
    wanted, listing = _read_filter(request)
    tried = str(request.args.get("test", "")).strip()[:40]
    country = str(request.args.get("in", "")).strip().upper()[:2]
    async with site_of(request).pool.connection() as connection:
        found = await number_plan.list_entries(connection, wanted, listing.place, PAGE_SIZE)
        total = await number_plan.count_entries(connection, wanted)
        companies = dict(await company_choices(connection, EVERYTHING, ""))
    digits = "".join(each for each in tried if each in "0123456789").removeprefix("00")
    entry = await asyncio.to_thread(_attribute, request, digits[:LONGEST], country)
    return list_page(
        request,
        "rates/number_plan.html",
        "rates/_number_plan_results.html",
        listing,
        found,
        wanted=wanted,
        total=total,
        layers={code: gettext(text) for code, text in LAYERS.items()}
        | {f"number-plan:{own_id}": name for own_id, name in companies.items()},
        tried=tried,
        country=country,
        entry=entry if digits else None,
    )


def _attribute(request: Request[Any, Any], digits: str, country: str) -> PlanEntry | None:
    if not digits:
        return None
    known, now = site_of(request).knowledge.plan(), datetime.now(UTC)
    return known.short_code(digits, country, now) or known.attribute(digits, now)


def _read_filter(request: Request[Any, Any]) -> tuple[number_plan.PlanFilter, Listing]:
    listing = read_listing(request, ("q", "layer", "type", "country"), number_plan.KEY_TYPE)
    wanted = number_plan.PlanFilter(
        text=listing.given.get("q", "").removeprefix("+"),
        layer=listing.given.get("layer", ""),
        type=choice(listing.given, "type", words.AREA_TYPES),
        country=listing.given.get("country", "").upper(),
    )
    return wanted, listing


@blueprint.get("/number-plan/export.csv", name="export_plan_csv")
@blueprint.get("/number-plan/export.xlsx", name="export_plan_xlsx")
@admits(*EVERY_ROLE)
async def export_plan(request: Request[Any, Any]) -> Answer:
    """Send the entries of the filter as a sheet that can be imported."""
    wanted, listing = _read_filter(request)
    file = ListFile(
        title=gettext("Number attribution"),
        fields=_fields(site_of(request).zone),
        rows=all_pages(site_of(request), number_plan.list_entries, wanted, number_plan.KEY_TYPE),
        given=listing.given,
    )
    return await send_list(request, file)


def _fields(zone: ZoneInfo) -> list[Field[number_plan.PlanRow]]:
    def since(row: number_plan.PlanRow) -> str:
        is_dated = row.effective_from > UNDATED
        return row.effective_from.astimezone(zone).date().isoformat() if is_dated else ""

    return [
        Field(gettext("Prefix"), lambda row: row.prefix, width=20),
        Field(gettext("Area"), lambda row: row.area, width=20),
        Field(gettext("Type"), lambda row: row.type, width=20),
        Field(gettext("Country"), lambda row: row.country, width=20),
        Field(gettext("Shortest"), lambda row: str(row.min_len or ""), width=20),
        Field(gettext("Longest"), lambda row: str(row.max_len or ""), width=20),
        Field(gettext("Valid from"), since, width=20),
        Field(gettext("Layer"), lambda row: row.layer.partition(":")[2], width=20),
    ]


@blueprint.get("/number-plan/entry", name="ask_entry")
@admits(*ADMINISTRATORS)
async def ask_entry(request: Request[Any, Any]) -> HTTPResponse:
    """Show the form for an entry, empty or with an existing one."""
    names = ("prefix", "area", "type", "country", "min_len", "max_len", "layer")
    given = {name: str(request.args.get(name, "")) for name in names}
    given["layer"] = given["layer"] if given["layer"] not in ("", SEED) else IMPORTED
    return await _entry_page(request, Form(given))


@blueprint.post("/number-plan/entry", name="set_entry")
@admits(*ADMINISTRATORS)
async def set_entry(request: Request[Any, Any]) -> HTTPResponse:
    """Set the entry."""
    form, found = Form.of(request), list[str]()
    try:
        found = cells.prefixes(form.text("prefix"))
    except Refused as refusal:
        form.refuse(refusal, "prefix")
    layer = form.text("layer")
    entries = tuple(
        PlanEntry(
            prefix=prefix,
            area=form.text("area"),
            type=form.choice("type", TYPES),
            country=form.text("country", required=False, longest=2).upper(),
            min_len=form.whole("min_len", most=20),
            max_len=form.whole("max_len", most=20),
            effective_from=form.begin_of_day("effective_from", site_of(request).zone),
        )
        for prefix in found
    )
    if not form.errors:
        try:
            command = ChangeNumberPlan(layer=layer, entries=entries)
            shown = await carry_out(request, change_number_plan, command)
        except Refused as refusal:
            form.refuse(refusal)
        else:
            done = gettext("The entry was saved. New calls use it.")
            return go_on(f"/number-plan?q={found[0]}", done, shown=shown)
    return await _entry_page(request, form, 422)


async def _entry_page(request: Request[Any, Any], form: Form, status: int = 200) -> HTTPResponse:
    async with site_of(request).pool.connection() as connection:
        companies = await company_choices(connection, EVERYTHING, "")
    own = [(f"number-plan:{own_id}", name) for own_id, name in companies]
    return page(
        request,
        "rates/number_plan_entry.html",
        status,
        page="number-plan",
        form=form,
        types=words.choices(words.AREA_TYPES),
        layers=[(IMPORTED, gettext("All companies")), *own],
    )


@blueprint.post("/number-plan/remove")
@admits(*ADMINISTRATORS)
async def remove_entry(request: Request[Any, Any]) -> HTTPResponse:
    """Remove an entry from its layer."""
    form = Form.of(request)
    since = datetime.fromisoformat(form.text("since"))
    key = PlanKey(
        prefix=form.text("prefix"),
        country=form.text("country", required=False),
        short=form.checked("short"),
        effective_from=None if since <= UNDATED else since,
    )
    command = ChangeNumberPlan(layer=form.text("layer"), removed=(key,))
    done = gettext("The entry was removed.")
    return await act(request, change_number_plan, command, f"/number-plan?q={key.prefix}", done)

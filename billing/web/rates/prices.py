"""One price: its form with a live example, its history, its end."""

from datetime import UTC, datetime
from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.commands.rate_groups import (
    ChangeRates,
    EndRate,
    RemoveRate,
    change_rates,
    end_rate,
    remove_rate,
)
from billing.periods import UNDATED
from billing.queries import prices
from billing.queries.names import stream_names
from billing.rating.rates import Rate, Tier, key_of_target, target_of
from billing.values import Refused
from billing.web.acting import carry_out, go_on
from billing.web.files.delivery import Answer
from billing.web.files.lists import Field, ListFile, send_list
from billing.web.kit import words
from billing.web.kit.access import ADMINISTRATORS, EVERY_ROLE, admits
from billing.web.kit.filters import read_listing
from billing.web.kit.formats import query
from billing.web.kit.forms import Form
from billing.web.kit.i18n import gettext
from billing.web.kit.pages import page
from billing.web.rates.price_example import give_example
from billing.web.rates.rate_form import (
    band_rows,
    form_of_rate,
    micros_of,
    midnight_of,
    read_rate,
    target_words,
    tier_rows,
)
from billing.web.rates.rate_groups import act, find_group, requested_moment
from billing.web.site import site_of

blueprint = Blueprint("prices")
NEW = Rate(name="", prefix="0", tiers=(Tier(price="", unit_s=60, increment_s=1),))


@blueprint.get("/rate-groups/<group_id:str>/price", name="ask_price")
@admits(*ADMINISTRATORS)
async def ask_price(request: Request[Any, Any], group_id: str) -> HTTPResponse:
    """Show the form, empty or with the price of a target that is valid now."""
    zone, target = site_of(request).zone, str(request.args.get("target", ""))
    form = form_of_rate(NEW, zone)
    form.given["value"] = ""
    if target:
        async with site_of(request).pool.connection() as connection:
            versions = await prices.history_of(connection, group_id, target)
        requested = str(request.args.get("from", ""))
        found = [v for v in versions if v.standing and v.effective_from.isoformat() == requested]
        version = found[0] if found else prices.in_force(versions, datetime.now(UTC))
        rate = version.whole if version else None
        if rate:
            form = form_of_rate(rate, zone)
        if not found:  # a new price for an existing target begins today, so the old one stays
            form.given["effective_from"] = datetime.now(UTC).astimezone(zone).date().isoformat()
    return await _price_page(request, group_id, form)


@blueprint.post("/rate-groups/<group_id:str>/price", name="set_price")
@admits(*ADMINISTRATORS)
async def set_price(request: Request[Any, Any], group_id: str) -> HTTPResponse:
    """Set the price, or show the form with another row."""
    form, site = Form.of(request), site_of(request)
    more = form.given.get("more", "")
    if more:
        return await _price_page(request, group_id, form, more=more)
    rate = read_rate(form, site.zone)
    if rate:
        try:
            command = ChangeRates(group_id=group_id, rates=(rate,))
            shown = await carry_out(request, change_rates, command)
        except Refused as refusal:
            form.refuse(refusal)
        else:
            done = gettext("The price was set.")
            if (rate.effective_from or UNDATED) < midnight_of(datetime.now(UTC), site.zone):
                done += " " + gettext(
                    "It applies from a past day: calls already rated keep their price until "
                    "you re-rate them."
                )
            path = f"/rate-groups/{group_id}/history" + query({"target": target_of(rate)})
            return go_on(path, done, shown=shown)
    return await _price_page(request, group_id, form, 422)


async def _price_page(
    request: Request[Any, Any], group_id: str, form: Form, status: int = 200, more: str = ""
) -> HTTPResponse:
    group, zone = await find_group(request, group_id), site_of(request).zone
    trial = Form(form.given, {name: form.many(name) for name in _day_fields(form)})
    rate = read_rate(trial, zone)
    return page(
        request,
        "rates/price.html",
        status,
        page="rate-groups",
        group=group,
        form=form,
        more=more,
        tier_rows=lambda own: tier_rows(form, own, more),
        bands=band_rows(form, more),
        classes=words.choices(words.RATE_CLASSES),
        example=give_example(rate, group.currency, zone, form) if rate else None,
    )


def _day_fields(form: Form) -> list[str]:
    return [f"b{place}_days" for place in range(band_rows(form))]


@blueprint.post("/rate-groups/<group_id:str>/example")
@admits(*ADMINISTRATORS)
async def show_example(request: Request[Any, Any], group_id: str) -> HTTPResponse:
    """Show the price of an example call by the values in the form."""
    group, form = await find_group(request, group_id), Form.of(request)
    zone = site_of(request).zone
    rate = read_rate(form, zone)
    example = give_example(rate, group.currency, zone, form) if rate else None
    return page(request, "rates/_price_example.html", example=example, form=form)


@blueprint.get("/rate-groups/<group_id:str>/history")
@admits(*EVERY_ROLE)
async def show_history(request: Request[Any, Any], group_id: str) -> HTTPResponse:
    """Show every price ever set for one target, with its start, author and time."""
    listing = read_listing(request, ("target", "on"), prices.KEY_TYPE)
    group, target = await find_group(request, group_id), listing.given.get("target", "")
    async with site_of(request).pool.connection() as connection:
        versions = await prices.history_of(connection, group_id, target)
        names = await stream_names(connection, [each.actor for each in versions])
    at = requested_moment(request, listing)
    return page(
        request,
        "rates/price_history.html",
        page="rate-groups",
        group=group,
        target=target,
        given=listing.given,
        at=at,
        versions=versions,
        valid=prices.in_force(versions, at),
        moment_of=prices.moment_of,
        names=names,
    )


@blueprint.get("/rate-groups/<group_id:str>/history/export.csv", name="history_csv")
@blueprint.get("/rate-groups/<group_id:str>/history/export.xlsx", name="history_excel")
@admits(*EVERY_ROLE)
async def export_history(request: Request[Any, Any], group_id: str) -> Answer:
    """Send every price ever set for one target, with its author, as a file."""
    given = read_listing(request, ("target",), prices.KEY_TYPE).given
    group, target = await find_group(request, group_id), given.get("target", "")
    async with site_of(request).pool.connection() as connection:
        versions = await prices.history_of(connection, group_id, target)
        names = await stream_names(connection, [each.actor for each in versions])
    file = ListFile(
        title=gettext("History"),
        fields=_version_fields(names),
        rows=versions,
        facts=[(gettext("Rate group"), group.name), (gettext("Prefix"), target_words(target))],
    )
    return await send_list(request, file)


def _version_fields(names: dict[str, str]) -> list[Field[prices.VersionRow]]:
    def unit(row: prices.VersionRow) -> int | None:
        return row.unit_s if row.price is not None else None

    return [
        Field(gettext("Valid from"), prices.moment_of, "time", 24),
        Field(gettext("Name"), lambda row: words.word(words.RATE_NAMES, row.name), width=30),
        Field(gettext("Price"), lambda row: micros_of(row.price), "exact"),
        Field(gettext("Seconds of the price"), unit, "count"),
        Field(gettext("In force"), lambda row: words.yes_or_no(yes=row.standing), width=10),
        Field(gettext("Recorded"), lambda row: row.recorded_at, "time", 24),
        Field(gettext("By"), lambda row: words.actor(row.actor, names), width=24),
        Field(gettext("Source"), lambda row: row.source, width=24),
    ]


@blueprint.post("/rate-groups/<group_id:str>/end")
@admits(*ADMINISTRATORS)
async def end_price(request: Request[Any, Any], group_id: str) -> HTTPResponse:
    """End a price on a day."""
    form = Form.of(request)
    target = form.text("target")
    day = form.begin_of_day("from", site_of(request).zone)
    command = EndRate(group_id=group_id, key=key_of_target(target, day))
    path = f"/rate-groups/{group_id}/history" + query({"target": target})
    return await act(request, end_rate, command, path, gettext("The end of the price was set."))


@blueprint.post("/rate-groups/<group_id:str>/remove")
@admits(*ADMINISTRATORS)
async def remove_price(request: Request[Any, Any], group_id: str) -> HTTPResponse:
    """Remove a version of a price."""
    form = Form.of(request)
    target = form.text("target")
    since = datetime.fromisoformat(form.text("since"))
    key = key_of_target(target, None if since <= UNDATED else since)
    path = f"/rate-groups/{group_id}/history" + query({"target": target})
    command = RemoveRate(group_id=group_id, key=key)
    return await act(request, remove_rate, command, path, gettext("The price was removed."))

"""The rate tester: an invented call, every step of its rating, and its price."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.queries.names import account_names, device_choices
from billing.queries.rate_groups import find_group
from billing.queries.reach import EVERYTHING
from billing.rating.cdr import Cdr, Direction
from billing.rating.context import Rating
from billing.values import Refused
from billing.web.kit import words
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.explain import explain
from billing.web.kit.filters import read_listing
from billing.web.kit.forms import Form
from billing.web.kit.i18n import gettext
from billing.web.kit.pages import page
from billing.web.rates.price_example import seconds_of
from billing.web.site import site_of

NAMES = ("device", "caller", "number", "at", "length", "direction", "pin", "trunk", "tenant")
blueprint = Blueprint("tester")


@blueprint.get("/rate-tester")
@admits(*EVERY_ROLE)
async def test_rate(request: Request[Any, Any]) -> HTTPResponse:
    """Show the form, and the price of the call it describes. Nothing is stored."""
    site = site_of(request)
    form = Form(dict(read_listing(request, NAMES, tuple[str]).given))
    requested = bool(form.given)
    now = datetime.now(UTC).astimezone(site.zone)
    form.given.setdefault("at", now.strftime("%Y-%m-%dT%H:%M"))
    form.given.setdefault("length", "3:20")
    rating: Rating | None = None
    if requested:
        cdr = _read_cdr(form, request)
        device_id = form.text("device")
        if not form.errors:
            try:
                rating = await asyncio.to_thread(site.knowledge.rate, cdr, device_id)
            except Refused as refusal:
                form.refuse(refusal, "device")
    async with site.pool.connection() as connection:
        known = await device_choices(connection, EVERYTHING, form.given.get("device", ""))
        names, group = dict[str, str](), None
        if rating:
            company = f"company:{rating.company_id}"
            streams = [company, rating.user_account, rating.gateway_account, rating.payer]
            names = await account_names(connection, EVERYTHING, streams)
            group = await find_group(connection, rating.group_id)
    return page(
        request,
        "rates/tester.html",
        422 if form.errors else 200,
        page="rate-tester",
        form=form,
        devices=known,
        directions=words.choices(words.DIRECTIONS),
        rating=rating,
        group=group,
        names=names,
        steps=explain(rating.steps, rating.currency, names) if rating else [],
        flags=[words.word(words.FLAGS, flag) for flag in rating.flags] if rating else [],
    )


def _read_cdr(form: Form, request: Request[Any, Any]) -> Cdr:
    at = form.moment("at", site_of(request).zone) or datetime.now(UTC)
    length = form.given.get("length", "")
    seconds = seconds_of(length)
    if not seconds and length.strip("0:"):
        form.errors["length"] = gettext("Write a duration like 3:20 or 200.")
    direction = cast("Direction", form.choice("direction", words.DIRECTIONS, required=False))
    return Cdr(
        key="tester",
        started_at=at,
        answered_at=at if seconds else None,
        ended_at=at + timedelta(seconds=seconds),
        duration_ms=seconds * 1000,
        billed_ms=seconds * 1000,
        caller=form.text("caller", required=False),
        called=form.text("number"),
        direction=direction,
        result="answered" if seconds else "no_answer",
        pin=form.text("pin", required=False),
        source_trunk=form.text("trunk", required=False),
        tenant=form.text("tenant", required=False),
    )

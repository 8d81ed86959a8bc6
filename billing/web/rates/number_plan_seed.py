"""Make the built-in layer of the number plan for the countries of an installation."""

import re
from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.offload.tasks import Seed, Seeded
from billing.queries.names import countries_of_devices
from billing.values import Refused
from billing.web.acting import envelope_of, go_on, until_shown
from billing.web.kit import words
from billing.web.kit.access import ADMINISTRATORS, admits
from billing.web.kit.forms import Form
from billing.web.kit.i18n import LANGUAGES, gettext, language
from billing.web.kit.pages import page
from billing.web.site import site_of

blueprint = Blueprint("number_plan_seed")


@blueprint.get("/number-plan/seed", name="ask_seed")
@admits(*ADMINISTRATORS)
async def ask_seed(request: Request[Any, Any]) -> HTTPResponse:
    """Show the form, with the countries of the devices."""
    async with site_of(request).pool.connection() as connection:
        countries = await countries_of_devices(connection)
    return _show(request, Form({"countries": ", ".join(countries), "language": language()}))


@blueprint.post("/number-plan/seed", name="make_seed")
@admits(*ADMINISTRATORS)
async def make_seed(request: Request[Any, Any]) -> HTTPResponse:
    """Show what the plan would contain; with `write`, replace the built-in layer."""
    form = Form.of(request)
    countries = tuple(re.findall(r"[A-Z]+", form.text("countries").upper()))
    task = Seed(
        countries=countries,
        language=form.choice("language", LANGUAGES),
        envelope=await envelope_of(request),
        write=form.checked("write"),
    )
    if form.errors:
        return _show(request, form, status=422)
    try:
        answer = await site_of(request).offload.run(task)
    except Refused as refusal:
        form.refuse(refusal, "countries")
        return _show(request, form, status=422)
    if not task.write:
        return _show(request, form, answer.seeded)
    done = gettext("The built-in plan was created. New calls use it.")
    shown = await until_shown(request, answer.position)
    return go_on("/number-plan?layer=number-plan:seed", done, shown=shown)


def _show(
    request: Request[Any, Any], form: Form, seeded: Seeded | None = None, status: int = 200
) -> HTTPResponse:
    found = seeded.types if seeded else {}
    types = [(text, found[code]) for code, text in words.choices(words.AREA_TYPES) if code in found]
    return page(
        request,
        "rates/number_plan_seed.html",
        status,
        page="number-plan",
        form=form,
        seeded=seeded,
        types=types,
        spoken=list(LANGUAGES.items()),
    )

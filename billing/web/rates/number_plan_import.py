"""Import entries of the number plan from a sheet."""

from datetime import datetime
from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.aggregates.number_plan import IMPORTED, validate_entry
from billing.commands.number_plan import ChangeNumberPlan, change_number_plan
from billing.decks import cells
from billing.rating.number_plan import PlanEntry
from billing.sheets import Column, plain_words
from billing.values import Refused
from billing.web.files.importing import Kind, ask, take
from billing.web.kit import words
from billing.web.kit.access import ADMINISTRATORS, SHEETS, admits
from billing.web.kit.forms import Form
from billing.web.kit.i18n import N_, gettext
from billing.web.services.import_plans import Checked, Plan, SheetRow
from billing.web.site import site_of

blueprint = Blueprint("number_plan_import")
COLUMNS = (
    Column("prefix", ("prefix", "prefijo", "codes", "codigos", "code", "codigo")),
    Column("area", ("area", "zona", "destination", "destino", "name", "nombre")),
    Column("type", ("type", "tipo"), required=False),
    Column("country", ("country", "pais", "iso"), required=False),
    Column("min_len", ("shortest", "minima", "min len", "longitud minima"), required=False),
    Column("max_len", ("longest", "maxima", "max len", "longitud maxima"), required=False),
    Column("effective_from", ("valid from", "valido desde", "vigencia", "desde"), required=False),
)
SPANISH = {
    "fijo": "landline",
    "movil": "mobile",
    "gratuito": "toll_free",
    "coste compartido": "shared_cost",
    "tarificacion adicional": "premium",
    "numero especial": "special",
    "especial": "special",
    "emergencia": "emergency",
    "emergencias": "emergency",
    "satelite": "satellite",
}
TYPES = SPANISH | {plain_words(code): code for code in words.AREA_TYPES}
TYPES |= {plain_words(text): code for code, text in words.AREA_TYPES.items()}


async def plan_entries(request: Request[Any, Any], _: Form, lines: list[SheetRow]) -> Plan:
    """Return the entries that the rows would set."""
    checked, found, rows = Checked(), list[PlanEntry](), list[int]()
    zone = site_of(request).zone
    for line in lines:
        kind = TYPES.get(plain_words(line.get("type") or "landline"), "")
        lengths = [line.get("min_len") or "0", line.get("max_len") or "0"]
        if not kind:
            checked.wrong(line, "type", "%(type)s is not a type of number.", type=line.get("type"))
            continue
        if not all(each.isascii() and each.isdigit() and len(each) <= 2 for each in lengths):  # noqa: PLR2004 -- digits
            checked.wrong(line, "min_len", "A length is a whole number.")
            continue
        try:
            since: datetime | None = None
            if line.get("effective_from"):
                since = cells.beginning(line.get("effective_from"), zone)
            for prefix in cells.prefixes(line.get("prefix")):
                entry = PlanEntry(
                    prefix=prefix,
                    area=line.get("area"),
                    type=kind,
                    country=line.get("country").upper()[:2],
                    min_len=int(lengths[0]),
                    max_len=int(lengths[1]),
                    effective_from=since,
                )
                validate_entry(entry)
                found.append(entry)
                rows.append(line.row)
        except Refused as refusal:
            checked.wrong(line, "prefix", refusal.message, **refusal.values)
    heads = ("Prefix", "Area", "Type", "Country")
    return Plan(
        owner="",
        file_name="",
        rows=rows,
        heads=[gettext(head) for head in heads],
        preview=[
            [each.prefix, each.area, words.word(words.AREA_TYPES, each.type), each.country]
            for each in found[:200]
        ],
        problems=checked.problems,
        command=ChangeNumberPlan(layer=IMPORTED, entries=tuple(found)),
        handler=change_number_plan,
        back="/number-plan",
        done=N_("The entries were imported."),
    )


KIND = Kind(
    N_("Import into the number plan"),
    N_(
        "One entry per row, or several prefixes and ranges in a cell. The "
        "current entries are replaced."
    ),
    COLUMNS,
    (
        N_("Prefix"),
        N_("Area"),
        N_("Type"),
        N_("Country"),
        N_("Shortest"),
        N_("Longest"),
        N_("Valid from"),
    ),
    plan_entries,
    "number-plan",
    "/number-plan",
)


@blueprint.get("/number-plan/import", name="ask_plan")
@admits(*ADMINISTRATORS)
async def ask_for_plan(request: Request[Any, Any]) -> HTTPResponse:
    """Show the form for uploading a sheet."""
    return await ask(request, KIND)


@blueprint.post("/number-plan/import", name="take_plan")
@admits(*ADMINISTRATORS, takes=SHEETS)
async def take_plan(request: Request[Any, Any]) -> HTTPResponse:
    """Show what the sheet would set."""
    return await take(request, KIND)

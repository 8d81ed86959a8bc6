"""The field of a form that limits an administrator to companies."""

from typing import Any

from psycopg import AsyncConnection
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.queries.companies import CompanyFilter, list_companies
from billing.queries.lookups import accounts_named
from billing.queries.names import account_names, company_choices
from billing.queries.reach import EVERYTHING
from billing.web.kit.access import ADMINISTRATORS, admits
from billing.web.kit.filters import read_listing
from billing.web.kit.forms import Form
from billing.web.kit.i18n import N_, gettext
from billing.web.kit.pages import page
from billing.web.site import site_of

REACHES = {"all": N_("All companies"), "some": N_("Only these")}
SUGGESTED = 50
KIND = "company:"
blueprint = Blueprint("administrator_limits")


@blueprint.get("/administrators/companies")
@admits(*ADMINISTRATORS)
async def suggest_companies(request: Request[Any, Any]) -> HTTPResponse:
    """Suggest companies whose name contains the typed text."""
    text = read_listing(request, ("added",), tuple[str]).given.get("added", "")
    wanted = CompanyFilter(reach=EVERYTHING, text=text)
    async with site_of(request).pool.connection() as connection:
        found = await list_companies(connection, wanted, None, SUGGESTED)
    return page(request, "people/_company_names.html", names=[row.name for row in found.rows])


async def read_limit(request: Request[Any, Any], form: Form) -> tuple[str, ...]:
    """Return the ids of the companies that a form limits to; empty without a limit.

    A company comes as a checkbox with its id, or as text with its name or id. An unknown company is
    an error of the field. So is an empty list: it would mean no limit.
    """
    if form.choice("reach", REACHES) != "some":
        return ()
    written = {text.strip() for text in form.many("added")} - {""}
    async with site_of(request).pool.connection() as connection:
        wanted = [*written, *(KIND + text for text in written)]
        named = await accounts_named(connection, EVERYTHING, wanted)
    chosen, unknown = list(form.many("companies")), list[str]()
    for text in sorted(written):
        found = {
            each.account.removeprefix(KIND)
            for each in (*named.get(text, ()), *named.get(KIND + text, ()))
            if each.account.startswith(KIND)
        }
        if len(found) == 1:
            chosen += found
            continue
        unknown.append(text)
        said = (
            gettext("Several companies are named %(name)s. Write the id of one.", name=text)
            if found
            else gettext("There is no company “%(name)s”.", name=text)
        )
        form.errors.setdefault("added", said)
    if not chosen and not unknown:
        form.errors["added"] = gettext("Choose at least one company.")
    form.given["unknown"] = "\n".join(unknown)
    return tuple(dict.fromkeys(chosen))


async def limit_choices(
    connection: AsyncConnection[Any], form: Form, companies: tuple[str, ...]
) -> dict[str, Any]:
    """Return what the field shows: the chosen companies, unknown texts, suggestions."""
    form.given.setdefault("reach", "some" if companies else "all")
    names = await account_names(connection, EVERYTHING, [KIND + each for each in companies])
    limit = [(each, names.get(KIND + each, each)) for each in companies]
    suggested = await company_choices(connection, EVERYTHING, "", most=SUGGESTED)
    return {
        "limit": sorted(limit, key=lambda pair: pair[1].casefold()),
        "unknown": form.given.get("unknown", "").split("\n"),
        "names": [name for _, name in suggested],
        "reaches": [(code, gettext(text)) for code, text in REACHES.items()],
    }

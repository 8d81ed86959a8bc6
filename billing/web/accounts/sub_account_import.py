"""Import user and gateway accounts: the pages, the meaning of rows, and their errors."""

from typing import Any

import msgspec
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.commands import sub_accounts
from billing.queries.lookups import NamedDevice, accounts_named, devices_named
from billing.queries.names import company_choices
from billing.sheets import Column
from billing.values import new_id
from billing.web.accounts.opening import kind_of, list_of
from billing.web.files.importing import Kind, ask, take
from billing.web.kit.access import ADMINISTRATORS, SHEETS, admits
from billing.web.kit.forms import Form
from billing.web.kit.i18n import N_, gettext
from billing.web.kit.reach import reach_of
from billing.web.services.import_plans import Checked, Plan, SheetRow
from billing.web.site import site_of

blueprint = Blueprint("sub_account_import")
YES = ("yes", "y", "si", "sí", "s", "true", "1", "x", "verdadero")
NO = ("", "no", "n", "false", "0", "falso")
NAME = Column("name", ("name", "nombre", "user", "usuario", "account", "cuenta"))
DEVICE = Column("device", ("device", "equipo", "pbx", "ippbx"), required=False)
OWN = Column("own_wallet", ("own balance", "saldo propio", "prepaid", "prepago"), required=False)
EXTENSIONS = Column(
    "lines", ("extensions", "extensiones", "extension", "extensión", "number"), required=False
)
TRUNKS = Column(
    "lines",
    ("trunks", "troncales", "trunk", "troncal", "gateway", "pasarela", "gateways"),
    required=False,
)


class _Company(msgspec.Struct, frozen=True):
    """What the rows are checked against."""

    company_id: str
    kind: str  # user, gateway
    devices: dict[str, NamedDevice]  # by id, and by name in lower case
    own: list[NamedDevice]
    taken: set[str]  # names in lower case

    def device(self, line: SheetRow) -> NamedDevice | None:
        """Return the device that a row names; without a name the only device of the company."""
        said = line.get("device")
        if not said:
            return self.own[0] if len(self.own) == 1 else None
        return self.devices.get(said) or self.devices.get(said.lower())


async def plan_accounts(request: Request[Any, Any], form: Form, lines: list[SheetRow]) -> Plan:
    """Return the accounts of a sheet for the company chosen in the form."""
    company = await _company(request, form.text("company"), lines)
    checked, seen = Checked(), set[str]()
    opened = []
    for line in lines:
        _check_name(checked, line, company, seen)
        opened.append(_read(checked, line, company))
    return Plan(
        owner="",
        file_name="",
        rows=[line.row for line in lines],
        heads=[gettext("Name"), gettext("Extensions or trunks"), gettext("Who pays")],
        preview=[
            [
                each.name,
                " ".join(given.number for given in each.lines),
                gettext("itself") if each.own_wallet else gettext("the company"),
            ]
            for each in opened
        ],
        problems=checked.problems,
        command=sub_accounts.ImportAccounts(company_id=company.company_id, accounts=tuple(opened)),
        handler=sub_accounts.import_accounts,
        back=f"/{list_of(request)}?company={company.company_id}",
        done=N_("The accounts were opened."),
    )


async def _company(request: Request[Any, Any], company_id: str, lines: list[SheetRow]) -> _Company:
    kind, reach = kind_of(request), reach_of(request)
    async with site_of(request).pool.connection() as connection:
        said = {line.get("device") for line in lines}
        devices = await devices_named(connection, reach, said, company_id)
        named = await accounts_named(connection, reach, {line.get("name") for line in lines})
    taken = {
        each.name.lower()
        for found in named.values()
        for each in found
        if each.company_id == company_id and each.account.startswith(kind)
    }
    by_name = {device.name.lower(): device for device in devices}
    by_id = {device.device_id: device for device in devices}
    own = [device for device in devices if device.company_id == company_id]
    return _Company(company_id, kind, by_name | by_id, own, taken)


def _check_name(checked: Checked, line: SheetRow, company: _Company, seen: set[str]) -> None:
    name = line.get("name").lower()
    if not name:
        checked.wrong(line, "name", N_("An account needs a name."))
    elif name in company.taken:
        checked.wrong(line, "name", N_("There is already an account with this name."))
    elif name in seen:
        checked.wrong(line, "name", N_("This name appears twice in the spreadsheet."))
    seen.add(name)


def _read(checked: Checked, line: SheetRow, company: _Company) -> sub_accounts.ImportedAccount:
    numbers = line.get("lines").replace(";", " ").replace(",", " ").split()
    device = company.device(line)
    if numbers and device is None:
        if said := line.get("device"):
            checked.wrong(line, "device", N_("There is no device %(device)s."), device=said)
        else:
            checked.wrong(
                line, "device", N_("Which device? The company has none, or more than one.")
            )
    elif numbers and device and device.company_id != company.company_id:
        whose = {"line": numbers[0], "device": device.name}
        message = N_("%(line)s of %(device)s belongs to another company.")
        checked.wrong(line, "device", message, **whose)
    own_wallet = line.get("own_wallet").lower()
    if own_wallet not in YES + NO:
        checked.wrong(line, "own_wallet", N_("Write yes or no."))
    return sub_accounts.ImportedAccount(
        account=f"{company.kind}:{new_id()}",
        name=line.get("name"),
        own_wallet=own_wallet in YES,
        lines=tuple(
            sub_accounts.LineGiven(device_id=device.device_id, number=number)
            for number in numbers
            if device
        ),
    )


async def _companies(request: Request[Any, Any]) -> dict[str, Any]:
    async with site_of(request).pool.connection() as connection:
        chosen = str(request.args.get("company", ""))
        return {"companies": await company_choices(connection, reach_of(request), chosen)}


ACCOUNTS = {
    "user": Kind(
        N_("Import user accounts"),
        N_("One account per row. Separate several extensions with spaces."),
        (NAME, EXTENSIONS, DEVICE, OWN),
        (N_("Name"), N_("Extensions"), N_("Device"), N_("Own balance")),
        plan_accounts,
        "user-accounts",
        "/user-accounts",
        _companies,
    ),
    "gateway": Kind(
        N_("Import gateway accounts"),
        N_("One account per row. Separate several trunks with spaces."),
        (NAME, TRUNKS, DEVICE, OWN),
        (N_("Name"), N_("Trunks and gateways"), N_("Device"), N_("Own balance")),
        plan_accounts,
        "gateway-accounts",
        "/gateway-accounts",
        _companies,
    ),
}  # fmt: skip


@blueprint.get("/user-accounts/import", name="ask_user_accounts")
@blueprint.get("/gateway-accounts/import", name="ask_gateway_accounts")
@admits(*ADMINISTRATORS, limited=True)
async def ask_accounts(request: Request[Any, Any]) -> HTTPResponse:
    """Show the form for uploading a sheet."""
    return await ask(request, ACCOUNTS[kind_of(request)])


@blueprint.post("/user-accounts/import", name="take_user_accounts")
@blueprint.post("/gateway-accounts/import", name="take_gateway_accounts")
@admits(*ADMINISTRATORS, limited=True, takes=SHEETS)
async def take_accounts(request: Request[Any, Any]) -> HTTPResponse:
    """Show the accounts of a sheet, or its errors."""
    return await take(request, ACCOUNTS[kind_of(request)])

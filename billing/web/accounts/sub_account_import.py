"""Import user and gateway accounts: the pages, the meaning of rows, and their errors."""

from typing import Any

import msgspec
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.commands import sub_accounts
from billing.queries.lookups import (
    Holders,
    NamedAccount,
    NamedDevice,
    accounts_named,
    devices_named,
    holders_of,
)
from billing.queries.names import account_names, company_choices
from billing.sheets import Column
from billing.values import name_key, new_id
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
COMPANY = Column("company", ("company", "empresa"), required=False)
OWN = Column("own_wallet", ("own balance", "saldo propio", "prepaid", "prepago"), required=False)
EXTENSIONS = Column(
    "lines", ("extensions", "extensiones", "extension", "extensión", "number"), required=False
)
TRUNKS = Column(
    "lines",
    ("trunks", "troncales", "trunk", "troncal", "gateway", "pasarela", "gateways"),
    required=False,
)


TOTALS = ("total", "totals", "totales")  # the last row of the exported list


class _Company(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows are checked against."""

    company_id: str
    name: str
    kind: str  # user, gateway
    devices: dict[str, list[NamedDevice]]  # by what the sheet says; "" = those of the company
    accounts: dict[str, list[NamedAccount]]  # of the company, by name as `name_key` has it
    holders: Holders

    def device(self, line: SheetRow) -> NamedDevice | None:
        """Return the device that a row names; without a name the only device of the company."""
        found = self.devices.get(line.get("device"), [])
        own = [each for each in found if each.company_id == self.company_id]
        return (own or found)[0] if len(own or found) == 1 else None

    def has(self, line: SheetRow) -> bool:
        """Whether an account of the company is exactly what a row says, as in an exported list."""
        found = self.accounts.get(name_key(line.get("name")), [])
        if len(found) != 1 or (line.get("own_wallet").lower() in YES) != found[0].own_wallet:
            return False
        held = [
            number for (_, number), owner in self.holders.items() if owner[0] == found[0].account
        ]
        return sorted(_numbers(line.get("lines"))) == sorted(_numbers(",".join(held)))


async def plan_accounts(request: Request[Any, Any], form: Form, lines: list[SheetRow]) -> Plan:
    """Return the accounts of a sheet for the company chosen in the form."""
    company = await _company(request, form.text("company"), lines)
    checked, seen = Checked(), _Seen()
    opened, rows, preview = [], list[int](), list[list[str]]()
    is_exported = any("company" in line.cells for line in lines)
    for line in lines:
        if is_exported and _is_total(line):
            continue
        name, lines_said = line.get("name"), line.get("lines")
        if company.has(line) and not seen.names.get(name_key(name)):
            seen.names[name_key(name)] = line.row
            preview.append([name, lines_said, gettext("As it is")])
            continue
        _check_name(checked, line, company, seen)
        account = _read(checked, line, company, seen)
        opened.append(account)
        rows.append(line.row)
        who = gettext("itself") if account.own_wallet else gettext("the company")
        preview.append([account.name, " ".join(each.number for each in account.lines), who])
    return Plan(
        owner="",
        file_name="",
        rows=rows,
        heads=[gettext("Name"), gettext("Extensions or trunks"), gettext("Who pays")],
        preview=preview,
        problems=checked.problems,
        command=sub_accounts.ImportAccounts(company_id=company.company_id, accounts=tuple(opened)),
        handler=sub_accounts.import_accounts,
        back=f"/{list_of(request)}?company={company.company_id}",
        done=N_("The accounts were opened."),
    )


class _Seen(msgspec.Struct):
    """The rows that had each name and each extension or trunk first."""

    names: dict[str, int] = {}
    lines: dict[tuple[str, str], int] = {}


def _is_total(line: SheetRow) -> bool:
    """Whether a row is the sum at the end of an exported list."""
    others = ("lines", "company", "own_wallet")
    return name_key(line.get("name")) in TOTALS and not any(map(line.get, others))


async def _company(request: Request[Any, Any], company_id: str, lines: list[SheetRow]) -> _Company:
    kind, reach = kind_of(request), reach_of(request)
    owner = f"company:{company_id}"
    async with site_of(request).pool.connection() as connection:
        said = {line.get("device") for line in lines}
        devices = await devices_named(connection, reach, said, company_id)
        named = await accounts_named(connection, reach, {line.get("name") for line in lines})
        found = {each.device_id for several in devices.values() for each in several}
        holders = await holders_of(connection, "extension" if kind == "user" else "trunk", found)
        names = await account_names(connection, reach, [owner])
    accounts = {
        name_key(said): own
        for said, several in named.items()
        if (
            own := [a for a in several if a.company_id == company_id and a.account.startswith(kind)]
        )
    }
    return _Company(
        company_id=company_id,
        name=names.get(owner, company_id),
        kind=kind,
        devices=devices,
        accounts=accounts,
        holders=holders,
    )


def _check_name(checked: Checked, line: SheetRow, company: _Company, seen: _Seen) -> None:
    name, owner = name_key(line.get("name")), line.get("company")
    if not name:
        checked.wrong(line, "name", N_("An account needs a name."))
    elif name in company.accounts:
        checked.wrong(line, "name", N_("There is already an account with this name."))
    elif name in seen.names:
        checked.wrong(line, "name", N_("This name appears twice in the spreadsheet."))
    if owner and owner != company.company_id and name_key(owner) != name_key(company.name):
        checked.wrong(line, "company", N_("This row is of another company."))
    seen.names.setdefault(name, line.row)


def _numbers(cell: str) -> list[str]:
    return cell.replace(";", " ").replace(",", " ").split()


def _read(
    checked: Checked, line: SheetRow, company: _Company, seen: _Seen
) -> sub_accounts.ImportedAccount:
    numbers, device = _numbers(line.get("lines")), company.device(line)
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
    elif device:
        _check_lines(checked, line, device, company, seen)
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


def _check_lines(
    checked: Checked, line: SheetRow, device: NamedDevice, company: _Company, seen: _Seen
) -> None:
    """Refuse an extension or a trunk that another row has, or another account."""
    for number in _numbers(line.get("lines")):
        key = (device.device_id, number)
        if first := seen.lines.setdefault(key, 0):
            message = N_("%(line)s is also in row %(row)s.")
            checked.wrong(line, "lines", message, line=number, row=first)
        elif holder := company.holders.get(key):
            message = N_("%(line)s of %(device)s belongs to the account %(account)s.")
            whose = {"line": number, "device": device.name, "account": holder[1]}
            checked.wrong(line, "lines", message, **whose)
        seen.lines[key] = first or line.row


async def _companies(request: Request[Any, Any]) -> dict[str, Any]:
    async with site_of(request).pool.connection() as connection:
        chosen = str(request.args.get("company", ""))
        return {"companies": await company_choices(connection, reach_of(request), chosen)}


ACCOUNTS = {
    "user": Kind(
        N_("Import user accounts"),
        N_("One account per row. Separate several extensions with spaces."),
        (NAME, EXTENSIONS, DEVICE, OWN, COMPANY),
        (N_("Name"), N_("Extensions"), N_("Device"), N_("Own balance"), N_("Company")),
        plan_accounts,
        "user-accounts",
        "/user-accounts",
        _companies,
    ),
    "gateway": Kind(
        N_("Import gateway accounts"),
        N_("One account per row. Separate several trunks with spaces."),
        (NAME, TRUNKS, DEVICE, OWN, COMPANY),
        (N_("Name"), N_("Trunks and gateways"), N_("Device"), N_("Own balance"), N_("Company")),
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

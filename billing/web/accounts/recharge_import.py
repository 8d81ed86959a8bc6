"""Import recharges from a sheet: the pages, the meaning of each row, and its errors."""

from typing import Any

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.commands import accounts
from billing.queries.lookups import NamedAccount, accounts_named
from billing.sheets import Column
from billing.values import Money, Refused, parse_amount, refuse_finer
from billing.web.files.importing import Kind, ask, take
from billing.web.kit import formats
from billing.web.kit.access import ADMINISTRATORS, SHEETS, admits
from billing.web.kit.forms import Form
from billing.web.kit.i18n import N_, gettext
from billing.web.kit.reach import reach_of
from billing.web.services.import_plans import Checked, Plan, SheetRow
from billing.web.site import site_of

blueprint = Blueprint("recharge_import")
COLUMNS = (
    Column("account", ("account", "cuenta", "name", "nombre", "company", "empresa")),
    Column("amount", ("amount", "importe", "recharge", "recarga", "monto")),
    Column("currency", ("currency", "moneda", "divisa"), required=False),
    Column("reason", ("reason", "motivo", "concepto", "description"), required=False),
    Column("reference", ("reference", "referencia", "ref"), required=False),
)


async def plan_recharges(request: Request[Any, Any], form: Form, lines: list[SheetRow]) -> Plan:
    """Return the recharges of a sheet; rows without a reason get the reason of the form."""
    reason = form.text("reason", required=False)
    async with site_of(request).pool.connection() as connection:
        names = {line.get("account") for line in lines}
        found = await accounts_named(connection, reach_of(request), names)
    checked, recharges, preview = Checked(), [], []
    for line in lines:
        account = _account(checked, line, found.get(line.get("account"), []))
        micros = _amount(checked, line, account.currency if account else "")
        why = line.get("reason") or reason
        if account is None:
            continue
        currency = line.get("currency").upper() or account.currency
        if currency != account.currency:
            checked.wrong(
                line,
                "currency",
                N_("A recharge is a positive amount in %(currency)s."),
                currency=account.currency,
            )
        command = accounts.RechargeAccount(
            account=account.account,
            amount=Money(micros, account.currency),
            reason=why,
            reference=line.get("reference"),
        )
        recharges.append(command)
        shown = formats.money(micros, account.currency)
        preview.append([account.name, shown, why, command.reference])
    return Plan(
        owner="",
        file_name="",
        rows=[line.row for line in lines],
        heads=[gettext("Account"), gettext("Amount"), gettext("Reason"), gettext("Reference")],
        preview=preview,
        problems=checked.problems,
        command=accounts.RechargeAccounts(recharges=tuple(recharges)),
        handler=accounts.recharge_many,
        back="/movements",
        done=N_("The accounts were recharged."),
    )


def _account(checked: Checked, line: SheetRow, found: list[NamedAccount]) -> NamedAccount | None:
    if not found:
        checked.wrong(
            line, "account", N_("There is no account %(name)s."), name=line.get("account")
        )
    elif len({each.account for each in found}) > 1:
        checked.wrong(
            line,
            "account",
            N_("Several accounts have this name. Write the id, such as %(account)s."),
            account=found[0].account,
        )
    elif not found[0].own_wallet:
        message = N_("This account has no balance of its own; its company pays.")
        checked.wrong(line, "account", message)
    elif found[0].state == "closed":
        checked.wrong(line, "account", N_("This account is closed."))
    return found[0] if found else None


def _amount(checked: Checked, line: SheetRow, currency: str) -> int:
    try:
        micros = parse_amount(line.get("amount"), currency)
        refuse_finer(Money(micros, currency))
    except Refused as refusal:
        checked.wrong(line, "amount", refusal.message, **refusal.values)
        return 0
    if micros <= 0:
        checked.wrong(line, "amount", N_("A recharge must be greater than zero."))
    return micros


RECHARGES = Kind(
    N_("Recharge from a spreadsheet"),
    N_("One recharge per row. Write the name or the id of the account."),
    COLUMNS,
    (N_("Account"), N_("Amount"), N_("Currency"), N_("Reason"), N_("Reference")),
    plan_recharges,
    "movements",
    "/movements",
)


@blueprint.get("/movements/import", name="ask_recharges")
@admits(*ADMINISTRATORS, limited=True)
async def ask_recharges(request: Request[Any, Any]) -> HTTPResponse:
    """Show the form for uploading a sheet."""
    return await ask(request, RECHARGES)


@blueprint.post("/movements/import", name="take_recharges")
@admits(*ADMINISTRATORS, limited=True, takes=SHEETS)
async def take_recharges(request: Request[Any, Any]) -> HTTPResponse:
    """Show the recharges of a sheet, or its errors."""
    return await take(request, RECHARGES)

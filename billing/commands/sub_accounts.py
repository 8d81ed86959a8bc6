"""Commands on user accounts and gateway accounts: open, rename, import many."""

from datetime import datetime
from typing import Any

import msgspec

from billing.aggregates import (
    company,
    device,
    extension,
    sub_account,
)
from billing.aggregates.event import Envelope
from billing.commands.accounts import MOVEMENTS, evolve_of
from billing.commands.deciding import Step, decide, decide_many, load_existing, require
from billing.log.store import Store
from billing.rating.pins import pin_digest
from billing.values import Refused, is_digits

SHORTEST_PIN, LONGEST_PIN = 3, 16


class OpenSubAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Open a user account ("user:…") or a gateway account ("gateway:…")."""

    account: str
    company_id: str
    name: str
    own_wallet: bool = False


class RenameSubAccount(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    name: str
    seen: int | None = None  # the version shown to the person who edits


class LineGiven(msgspec.Struct, frozen=True, kw_only=True):
    """An extension or a trunk of a device, assigned to an account from `valid_from` on."""

    device_id: str
    number: str  # the extension, or the name of the trunk
    tenant: str = ""
    valid_from: datetime | None = None


class ImportedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A row of an import: an account to open, with its extensions or trunks."""

    account: str
    name: str
    own_wallet: bool = False
    lines: tuple[LineGiven, ...] = ()


class ImportAccounts(msgspec.Struct, frozen=True, kw_only=True):
    """Open many accounts of a company, all or none."""

    company_id: str
    accounts: tuple[ImportedAccount, ...]


class GivePin(msgspec.Struct, frozen=True, kw_only=True):
    """Bill calls with this PIN to the account from `valid_from` on.

    Events hold only a keyed hash.
    """

    account: str
    pin: str
    valid_from: datetime | None = None


class WithdrawPins(msgspec.Struct, frozen=True, kw_only=True):
    account: str


class GiveLines(msgspec.Struct, frozen=True, kw_only=True):
    """Assign extensions (to a user account) or trunks (to a gateway account)."""

    account: str
    lines: tuple[LineGiven, ...]


_OPENINGS: dict[str, sub_account.Opening] = {
    "user": sub_account.UserAccountOpened,
    "gateway": sub_account.GatewayAccountOpened,
}


def open_sub_account(store: Store, command: OpenSubAccount, envelope: Envelope) -> int:
    """Open a user or gateway account in the currency of its company."""
    opened = ImportedAccount(
        account=command.account, name=command.name, own_wallet=command.own_wallet
    )
    owner = _owner(store, command.company_id)
    return decide_many(store, [_opening(owner, command.company_id, opened, 0)], envelope)


def rename(store: Store, command: RenameSubAccount, envelope: Envelope) -> int:
    """Rename an account. Raises Overtaken if somebody else changed it since `seen`."""
    return decide(
        store,
        command.account,
        evolve_of(command.account),
        lambda state: sub_account.rename(state, command.name),
        envelope,
        seen=command.seen,
        ignored=MOVEMENTS,
    )


def import_accounts(store: Store, command: ImportAccounts, envelope: Envelope) -> int:
    """Open many accounts and assign their extensions and trunks, all or none.

    Raises RowsRefused with the index of each refused row.
    """
    owner = _owner(store, command.company_id)
    steps = []
    for place, each in enumerate(command.accounts):
        steps.append(_opening(owner, command.company_id, each, place))
        steps += [_giving(command.company_id, each.account, line, place) for line in each.lines]
    return decide_many(store, steps, envelope)


def give_lines(store: Store, command: GiveLines, envelope: Envelope) -> int:
    """Assign extensions or trunks to an account, each from its own `valid_from` on."""
    state = load_existing(store, command.account, evolve_of(command.account))
    if state.closed:
        raise Refused("This account is closed.")
    steps = [
        _giving(state.company_id, command.account, line, place)
        for place, line in enumerate(command.lines)
    ]
    return decide_many(store, steps, envelope)


def give_pin(store: Store, command: GivePin, envelope: Envelope) -> int:
    """Give an account a PIN that no account of its company has."""
    if not is_digits(command.pin) or not SHORTEST_PIN <= len(command.pin) <= LONGEST_PIN:
        raise Refused(
            "A PIN is %(least)s to %(most)s digits.", least=SHORTEST_PIN, most=LONGEST_PIN
        )
    state = load_existing(store, command.account, evolve_of(command.account))
    return decide(
        store,
        f"company:{state.company_id}",
        company.evolve,
        lambda owner: company.give_pin(
            owner,
            digest=pin_digest(store.key("pins"), command.pin),
            account=command.account,
            valid_from=command.valid_from,
        ),
        envelope,
    )


def withdraw_pins(store: Store, command: WithdrawPins, envelope: Envelope) -> int:
    """Withdraw all PINs of an account from now on."""
    state = load_existing(store, command.account, evolve_of(command.account))
    return decide(
        store,
        f"company:{state.company_id}",
        company.evolve,
        lambda owner: company.withdraw_pins(
            owner, account=command.account, valid_from=envelope.recorded_at
        ),
        envelope,
    )


def _owner(store: Store, company_id: str) -> company.Company:
    owner = load_existing(store, f"company:{company_id}", company.evolve)
    if owner.closed:
        raise Refused("The company %(name)s is closed.", name=owner.name)
    return owner


def _opening(owner: company.Company, company_id: str, row: ImportedAccount, place: int) -> Step:
    kind = row.account.partition(":")[0]
    if kind not in _OPENINGS:
        raise Refused("%(account)s is not an account.", account=row.account)
    return Step(
        row.account,
        evolve_of(row.account),
        lambda state: sub_account.open_sub_account(
            state,
            _OPENINGS[kind],
            company_id=company_id,
            name=row.name,
            currency=owner.currency,
            own_wallet=row.own_wallet,
        ),
        place,
    )


def _giving(company_id: str, account_id: str, line: LineGiven, place: int) -> Step:
    stream = f"device:{line.device_id}"

    def give(state: device.Device | None) -> Any:
        known = require(state, stream)
        if known.company_of(line.tenant) != company_id:
            raise Refused(
                "%(line)s of %(device)s belongs to another company.",
                line=line.number,
                device=known.name,
            )
        if account_id.startswith("gateway:"):
            return device.assign_trunk(
                known, trunk=line.number, account=account_id, valid_from=line.valid_from
            )
        entry = extension.ExtensionEntry(
            extension=line.number,
            account=account_id,
            tenant=line.tenant,
            valid_from=line.valid_from,
        )
        return extension.assign_extensions(known, (entry,))

    return Step(stream, device.evolve, give, place)

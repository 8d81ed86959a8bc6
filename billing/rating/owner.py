"""The owner of a call: its direction, its account, and the wallet that pays."""

from datetime import datetime

from billing.rating.cdr import Cdr, Direction
from billing.rating.context import (
    Assignment,
    CompanyProfile,
    DeviceProfile,
    Draft,
    RatingContext,
    Suspend,
)

Assignments = tuple[Assignment, ...]


def find_owner(
    cdr: Cdr, device: DeviceProfile, context: RatingContext, started_at: datetime, draft: Draft
) -> CompanyProfile:
    """Return the company of a call; account, payer and direction go into `draft`.

    Raises Suspend.
    """
    tenant = cdr.tenant
    if device.tenants:
        if tenant not in device.tenants:
            tenant = cdr.pin  # some switches send the tenant as the account code
        draft.company_id = device.tenants.get(tenant, "")
    company = context.companies.get(draft.company_id)
    if company is None:
        raise Suspend("no_account")
    draft.direction, draft.extension, assignments = _extension(cdr, device, tenant)
    account = _by_pin(cdr, context, started_at, draft) or _account(
        cdr, device, started_at, assignments, draft
    )
    draft.payer = wallet = f"company:{draft.company_id}"
    draft.currency = company.currency
    if account:
        if account.startswith("user:"):
            draft.user_account = account
        else:
            draft.gateway_account = account
        profile = context.accounts.get(account)
        if profile and profile.own_wallet:
            draft.payer = wallet = account
    else:
        draft.steps.append(("by_company", draft.company_id))
    if context.holds and (hold := context.holds.get(wallet) or context.holds.get(account)):
        draft.flags += (hold,)
    draft.steps.append(("direction", draft.direction))
    return company


def _extension(
    cdr: Cdr, device: DeviceProfile, tenant: str
) -> tuple[Direction, str, Assignments | None]:
    """Return the direction, the extension the call belongs to, and the extension's assignments.

    If the record has no direction, it follows from which of its numbers are extensions.
    """
    direction = cdr.direction
    if direction == "outbound":  # the called number of an outbound call never pays
        by_caller = _assigned(device, tenant, cdr.caller)
        return direction, cdr.caller if by_caller else "", by_caller
    by_caller = _assigned(device, tenant, cdr.caller)
    by_called = _assigned(device, tenant, cdr.called)
    if not direction:
        direction = "outbound"
        if by_called:
            direction = "internal" if by_caller else "inbound"
    if by_called and (direction == "inbound" or not by_caller):
        return direction, cdr.called, by_called
    return direction, cdr.caller if by_caller else "", by_caller


def _assigned(device: DeviceProfile, tenant: str, number: str) -> Assignments | None:
    found = device.extensions.get((tenant, number))
    if found or device.tenants or not tenant:
        return found
    # A device without tenants may still send a context.
    return device.extensions.get(("", number))


def _by_pin(cdr: Cdr, context: RatingContext, started_at: datetime, draft: Draft) -> str:
    """Return the account of the PIN that was dialled; "" if there is none."""
    if not cdr.pin:
        return ""
    account = account_at(context.pins.get((draft.company_id, cdr.pin)), started_at)
    if account:
        draft.steps.append(("by_pin", account))
    return account


def _account(
    cdr: Cdr,
    device: DeviceProfile,
    started_at: datetime,
    assignments: Assignments | None,
    draft: Draft,
) -> str:
    """Return the user or gateway account of a call; "" means the company itself."""
    by_extension = account_at(assignments, started_at)
    if cdr.source_trunk and (device.gateway_first or not by_extension):
        by_trunk = account_at(device.trunks.get(cdr.source_trunk), started_at)
        if by_trunk:
            draft.steps.append(("by_trunk", cdr.source_trunk, by_trunk))
            return by_trunk
    if by_extension:
        draft.steps.append(("by_extension", draft.extension, by_extension))
    return by_extension


def account_at(assignments: Assignments | None, at: datetime) -> str:
    """Return the account at a time by the latest assignment before it; "" is the company itself."""
    account, since = "", None
    for assignment in assignments or ():
        valid_from = assignment.valid_from
        if valid_from is None:
            account = account if since else assignment.account
        elif valid_from <= at and (since is None or valid_from >= since):
            account, since = assignment.account, valid_from
    return account

"""Describe events in words, for histories and the log of operations."""

from collections.abc import Iterable, Mapping
from typing import Any

from billing.aggregates import account, company, statement, sub_account
from billing.aggregates import call as calls
from billing.aggregates.event import Event
from billing.aggregates.sub_account import UserAccountOpened
from billing.log.store import Recorded
from billing.values import Money
from billing.web.kit import formats, words
from billing.web.kit.i18n import gettext


def mentioned(events: Iterable[Recorded]) -> set[str]:
    """Return the streams that `tell` and the column of who did it need the names of."""
    found = set[str]()
    for recorded in events:
        found.add(recorded.envelope.actor)
        match recorded.event:
            case company.PinGiven(account=whose):
                found.add(whose)
            case company.RateGroupBound(group_id=group):
                found.add(f"rate-group:{group}")
    return found


def tell(event: Event, currency: str, names: Mapping[str, str]) -> str:
    """Describe what an event did in a sentence; empty for a kind without words.

    `names` has those of the streams that it mentions.
    """
    said = _tell_money(event) or _tell_state(event, currency)
    return said or _tell_opening(event, names) or _tell_call(event)


def _tell_money(event: Event) -> str:
    match event:
        case account.AccountRecharged() as e:
            said = gettext("Recharged: %(amount)s. %(reason)s", **_amount(e)).strip()
        case account.RechargeReversed() as e:
            said = gettext("Recharge of %(amount)s reversed. %(reason)s", **_amount(e))
        case account.AccountAdjusted() as e:
            said = gettext("Adjusted by %(amount)s. %(reason)s", **_amount(e))
        case statement.StatementRounded(month=month, amount_micros=micros, currency=currency):
            return gettext(
                "Statement of %(month)s rounded by %(amount)s.",
                month=formats.month(month),
                amount=formats.exact_money(micros, currency),
            )
        case statement.StatementClosed(month=month, closing_micros=closing, currency=currency):
            return gettext(
                "Statement of %(month)s closed with %(amount)s.",
                month=formats.month(month),
                amount=formats.amount(Money(closing, currency)),
            )
        case _:
            return ""
    reference = getattr(event, "reference", "")
    return f"{said} ({reference})" if reference else said


def _amount(event: Any) -> dict[str, str]:
    shown = formats.amount(Money(event.amount_micros, event.currency))
    return {"amount": shown, "reason": event.reason}


def _tell_state(event: Event, currency: str) -> str:
    def amount(micros: int) -> str:
        return formats.amount(Money(micros, currency))

    said = ""
    match event:
        case account.AccountFrozen(reason=reason):
            said = gettext("Frozen: %(reason)s", reason=reason)
        case account.AccountUnfrozen(reason=reason):
            said = (
                gettext("Unfrozen: %(reason)s", reason=reason) if reason else gettext("Unfrozen.")
            )
        case account.AccountFrozenByPolicy(balance_micros=balance, limit_micros=limit):
            said = gettext(
                "Frozen automatically: %(balance)s is below the limit of %(limit)s.",
                balance=amount(balance),
                limit=amount(limit),
            )
        case account.AccountUnfrozenByPolicy(balance_micros=balance):
            said = gettext("Unfrozen automatically at %(balance)s.", balance=amount(balance))
        case account.LowBalanceWarned(balance_micros=balance, threshold_micros=threshold):
            said = gettext(
                "Warned: %(balance)s is below %(threshold)s.",
                balance=amount(balance),
                threshold=amount(threshold),
            )
        case account.LowBalanceOver(balance_micros=balance):
            said = gettext("No longer low: %(balance)s.", balance=amount(balance))
        case account.LimitsSet():
            said = _tell_limits(event, amount)
        case account.AccountClosed(reason=reason):
            said = gettext("Closed: %(reason)s", reason=reason)
    return said


def _tell_limits(event: account.LimitsSet, amount: Any) -> str:
    credit, low = event.credit_limit_micros, event.low_balance_micros
    said = [
        gettext("Credit limit: %(amount)s.", amount=amount(credit))
        if credit is not None
        else gettext("No credit limit."),
        gettext("Warned below %(amount)s.", amount=amount(low))
        if low is not None
        else gettext("No warning."),
    ]
    if event.freeze_at_limit:
        said.append(gettext("Frozen at the limit."))
    if event.warn_email:
        said.append(gettext("Mails go to %(address)s.", address=event.warn_email))
    return " ".join(said)


def _tell_opening(event: Event, names: Mapping[str, str]) -> str:
    said = ""
    match event:
        case company.CompanyOpened(name=name, currency=currency):
            said = gettext(
                "Company opened: %(name)s, in %(currency)s.", name=name, currency=currency
            )
        case company.CompanyChanged(name=name, time_zone=zone, payment=payment):
            said = gettext(
                "Now %(name)s, %(zone)s, %(payment)s.",
                name=name,
                zone=zone,
                payment=words.word(words.PAYMENTS, payment).lower(),
            )
        case company.PinGiven(account=whose):
            said = (
                gettext("A PIN was added to %(account)s.", account=names.get(whose, whose))
                if whose
                else gettext("A PIN was removed.")
            )
        case company.RateGroupBound(group_id=group):
            said = gettext(
                "Rate group assigned: %(group)s.", group=names.get(f"rate-group:{group}", group)
            )
        case UserAccountOpened(name=name) | sub_account.GatewayAccountOpened(name=name):
            said = gettext("Account opened: %(name)s.", name=name)
        case sub_account.SubAccountRenamed(name=name):
            said = gettext("Renamed: %(name)s.", name=name)
    return said


def _tell_call(event: Event) -> str:
    match event:
        case calls.CallRated() | calls.CallRerated() | calls.CallVoided() | calls.CallReinstated():
            kind = type(event).__name__
            number = event.rating.number or event.cdr.called
            place = f" ({event.rating.area})" if event.rating.area else ""
            return f"{words.word(words.EVENTS, kind)}: {number}{place}"
        case _:
            return ""

"""A company: the account that is billed, its PINs and its rate groups."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import available_timezones

import msgspec

from billing.aggregates.account import Account, Limits, counting, evolve_wallet
from billing.aggregates.event import Event
from billing.values import Money, Refused, refuse_finer

PAYMENTS = ("prepaid", "postpaid")


class CompanyOpened(Event, frozen=True, kw_only=True):
    """A company account was opened; the credit limit is in micro-units of its currency."""

    name: str
    currency: str
    time_zone: str
    payment: str
    credit_limit_micros: int = 0


class CompanyChanged(Event, frozen=True, kw_only=True):
    name: str
    time_zone: str  # of its rates' time bands, from now on
    payment: str


class PinGiven(Event, frozen=True, kw_only=True):
    """From `valid_from` on, calls with this PIN belong to `account`; "" withdraws the PIN."""

    digest: str  # keyed hash of the PIN (rating/pins.py)
    account: str
    valid_from: datetime | None = None


class RateGroupBound(Event, frozen=True, kw_only=True):
    """From `valid_from` on, the company's calls are priced by this rate group."""

    group_id: str
    valid_from: datetime | None = None  # None: from the beginning


class Company(Account, frozen=True, kw_only=True):
    """The state of a company."""

    name: str
    time_zone: str
    payment: str
    pins: dict[str, str] = msgspec.field(default_factory=dict)  # digest -> current account
    rate_groups: tuple[tuple[datetime | None, str], ...] = ()


@counting
def evolve(company: Company | None, event: Event) -> Company | None:
    """Return the company after `event`."""
    match event:
        case CompanyOpened():
            return Company(
                currency=event.currency,
                name=event.name,
                time_zone=event.time_zone,
                payment=event.payment,
                limits=Limits(credit_limit_micros=opening_credit(event)),
            )
        case CompanyChanged() if company:
            return company.changed(
                name=event.name, time_zone=event.time_zone, payment=event.payment
            )
        case PinGiven(digest=digest, account=account) if company:
            return company.changed(pins={**company.pins, digest: account})
        case RateGroupBound(valid_from=valid_from, group_id=group_id) if company:
            return company.changed(rate_groups=(*company.rate_groups, (valid_from, group_id)))
        case _:
            return company and evolve_wallet(company, event)


def opening_credit(event: CompanyOpened) -> int | None:
    """Return the credit limit in micro-units: 0 means no debt if prepaid, unlimited if postpaid."""
    if event.payment == "prepaid":
        return event.credit_limit_micros
    return event.credit_limit_micros or None


def open_company(
    company: Company | None,
    *,
    name: str,
    currency: str,
    time_zone: str,
    payment: str = "postpaid",
    credit_limit_micros: int = 0,
    currencies: Iterable[str],
) -> list[Event]:
    """Open a company account. `currencies` are the valid ISO 4217 codes."""
    if company:
        raise Refused("This company is already open.")
    _check(name, time_zone, payment)
    if currency not in currencies:
        raise Refused("%(code)s is not a currency code.", code=currency)
    if credit_limit_micros < 0:
        raise Refused("A credit limit can't be negative.")
    refuse_finer(Money(credit_limit_micros, currency))
    return [
        CompanyOpened(
            name=name.strip(),
            currency=currency,
            time_zone=time_zone,
            payment=payment,
            credit_limit_micros=credit_limit_micros,
        )
    ]


def change_company(company: Company, *, name: str, time_zone: str, payment: str) -> list[Event]:
    """Change name, time zone and payment. The currency never changes."""
    if company.closed:
        raise Refused("This account is closed.")
    _check(name, time_zone, payment)
    if (name.strip(), time_zone, payment) == (company.name, company.time_zone, company.payment):
        return []
    return [CompanyChanged(name=name.strip(), time_zone=time_zone, payment=payment)]


def _check(name: str, time_zone: str, payment: str) -> None:
    if not name.strip():
        raise Refused("A company needs a name.")
    if time_zone not in available_timezones():
        raise Refused("%(zone)s is not a time zone.", zone=time_zone)
    if payment not in PAYMENTS:
        raise Refused("Payment is prepaid or postpaid.")


def bind_rate_group(
    company: Company, *, group_id: str, group_currency: str, valid_from: datetime | None
) -> list[Event]:
    """Price calls that start from `valid_from` on by this group, which has the same currency."""
    if company.closed:
        raise Refused("This account is closed.")
    if group_currency != company.currency:
        raise Refused(
            "The rate group is in %(group)s, the company in %(company)s.",
            group=group_currency,
            company=company.currency,
        )
    return [RateGroupBound(group_id=group_id, valid_from=valid_from)]


def give_pin(
    company: Company, *, digest: str, account: str, valid_from: datetime | None
) -> list[Event]:
    """Bill calls with a PIN to an account of the company, from `valid_from` on."""
    if company.closed:
        raise Refused("This account is closed.")
    if company.pins.get(digest):
        raise Refused("This PIN is in use. Choose another one.")
    return [PinGiven(digest=digest, account=account, valid_from=valid_from)]


def withdraw_pins(company: Company, *, account: str, valid_from: datetime) -> list[Event]:
    """Withdraw all PINs of an account from `valid_from` on."""
    return [
        PinGiven(digest=digest, account="", valid_from=valid_from)
        for digest, owner in company.pins.items()
        if owner == account
    ]

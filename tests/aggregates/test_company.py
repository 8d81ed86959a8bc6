"""Companies: open, bind rate groups, recharge, freeze."""

from datetime import UTC, datetime

from billing.aggregates import company
from billing.aggregates.account import (
    AccountFrozen,
    AccountRecharged,
    AccountUnfrozen,
    freeze,
    recharge,
    unfreeze,
)
from billing.aggregates.company import CompanyOpened, RateGroupBound, bind_rate_group, open_company
from billing.values import Money
from tests.given import given

ACME = CompanyOpened(name="Acme", currency="EUR", time_zone="Europe/Madrid", payment="prepaid")
OPENING = {"name": "Acme", "currency": "EUR", "time_zone": "Europe/Madrid", "payment": "prepaid"}
MAY = datetime(2026, 5, 1, tzinfo=UTC)


def test_a_company_is_opened() -> None:
    given(company).when(open_company, **OPENING, currencies=["EUR"]).then(ACME)


def test_a_company_is_opened_once() -> None:
    given(company, ACME).when(open_company, **OPENING, currencies=["EUR"]).then_refused("already")


def test_a_company_needs_a_name_and_a_known_currency_and_zone() -> None:
    for wrong, words in (
        ({"name": " "}, "needs a name"),
        ({"currency": "EUX"}, "EUX is not a currency"),
        ({"time_zone": "Madrid"}, "Madrid is not a time zone"),
        ({"payment": "cash"}, "prepaid or postpaid"),
        ({"credit_limit_micros": -1}, "can't be negative"),
    ):
        values = {**OPENING, **wrong}
        given(company).when(open_company, **values, currencies=["EUR"]).then_refused(words)


def test_a_rate_group_is_bound_from_a_time_on() -> None:
    given(company, ACME).when(
        bind_rate_group, group_id="g", group_currency="EUR", valid_from=MAY
    ).then(RateGroupBound(group_id="g", valid_from=MAY))


def test_a_rate_group_of_another_currency_is_refused() -> None:
    given(company, ACME).when(
        bind_rate_group, group_id="g", group_currency="PEN", valid_from=None
    ).then_refused("The rate group is in PEN, the company in EUR")


def test_a_recharge_is_posted() -> None:
    given(company, ACME).when(recharge, Money(10_000_000, "EUR"), "transfer", "4411").then(
        AccountRecharged(
            amount_micros=10_000_000, currency="EUR", reason="transfer", reference="4411"
        )
    )


def test_a_recharge_that_is_not_positive_or_in_another_currency_is_refused() -> None:
    for amount in (Money(0, "EUR"), Money(-1, "EUR"), Money(1, "PEN")):
        given(company, ACME).when(recharge, amount, "x").then_refused("positive amount in EUR")


def test_a_recharge_with_the_same_reference_is_refused_as_a_repeat() -> None:
    once = AccountRecharged(amount_micros=10_000, currency="EUR", reason="x", reference="4411")
    given(company, ACME, once).when(recharge, Money(10_000, "EUR"), "x", "4411").then_refused(
        "4411"
    )


def test_a_frozen_account_can_still_be_recharged() -> None:
    given(company, ACME, AccountFrozen(reason="unpaid")).when(
        recharge, Money(10_000, "EUR"), "cash"
    ).then(AccountRecharged(amount_micros=10_000, currency="EUR", reason="cash"))


def test_an_account_is_frozen_with_a_reason_and_unfrozen() -> None:
    frozen = AccountFrozen(reason="unpaid")
    given(company, ACME).when(freeze, "unpaid").then(frozen)
    given(company, ACME).when(freeze, " ").then_refused("Enter a reason")
    given(company, ACME, frozen).when(freeze, "again").then_refused("already frozen")
    given(company, ACME, frozen).when(unfreeze, "paid").then(AccountUnfrozen(reason="paid"))
    given(company, ACME).when(unfreeze, "paid").then_refused("not frozen")

"""Wallets: recharge, reverse, adjust, set limits, freeze by people and by the policy, close."""

from typing import Any

import pytest

from billing.aggregates import company, statement, sub_account
from billing.aggregates.account import (
    AccountAdjusted,
    AccountClosed,
    AccountFrozen,
    AccountFrozenByPolicy,
    AccountRecharged,
    AccountUnfrozen,
    AccountUnfrozenByPolicy,
    Limits,
    LimitsSet,
    LowBalanceOver,
    LowBalanceWarned,
    RechargeReversed,
    adjust,
    apply_limits,
    close,
    freeze,
    recharge,
    reverse_recharge,
    set_limits,
    unfreeze,
)
from billing.aggregates.company import CompanyChanged, CompanyOpened, PinGiven, change_company
from billing.aggregates.event import Event
from billing.aggregates.statement import (
    ClassCharge,
    Heading,
    StatementClosed,
    StatementRounded,
    Totals,
    close_month,
    close_statement,
)
from billing.aggregates.sub_account import SubAccountRenamed, UserAccountOpened, rename
from billing.periods import month_after, month_before
from billing.values import Money
from tests.given import given

OPENED = CompanyOpened(name="Acme", currency="EUR", time_zone="Europe/Madrid", payment="postpaid")
TEN = Money(10_000_000, "EUR")
RECHARGED = AccountRecharged(amount_micros=10_000_000, currency="EUR", reason="cash", reference="7")
REVERSED = RechargeReversed(
    recharge_version=2, amount_micros=10_000_000, currency="EUR", reason="wrong"
)
LIMITS = Limits(credit_limit_micros=0, low_balance_micros=5_000_000, freeze_at_limit=True)
SET = LimitsSet(credit_limit_micros=0, low_balance_micros=5_000_000, freeze_at_limit=True)


def test_a_recharge_is_reversed_once() -> None:
    given(company, OPENED, RECHARGED).when(reverse_recharge, 2, "wrong").then(REVERSED)
    given(company, OPENED, RECHARGED, REVERSED).when(reverse_recharge, 2, "wrong").then_refused(
        "already reversed"
    )
    given(company, OPENED, RECHARGED).when(reverse_recharge, 1, "wrong").then_refused("never made")
    given(company, OPENED, RECHARGED).when(reverse_recharge, 2, " ").then_refused("Enter a reason")


def test_a_reference_is_used_once_even_after_a_reversal() -> None:
    history = given(company, OPENED, RECHARGED, REVERSED)
    history.when(recharge, TEN, "cash", "7").then_refused("reference 7 was already made")


def test_an_adjustment_is_positive_or_negative_and_needs_a_reason() -> None:
    down = Money(-3_000_000, "EUR")
    given(company, OPENED).when(adjust, down, "billed twice").then(
        AccountAdjusted(amount_micros=-3_000_000, currency="EUR", reason="billed twice")
    )
    given(company, OPENED).when(adjust, down, "").then_refused("Enter a reason")
    given(company, OPENED).when(adjust, Money(0, "EUR"), "x").then_refused("not zero")
    given(company, OPENED).when(adjust, Money(1, "PEN"), "x").then_refused("in EUR")


def test_limits_are_set_once_and_validated() -> None:
    given(company, OPENED).when(set_limits, LIMITS).then(SET)
    given(company, OPENED, SET).when(set_limits, LIMITS).then()
    given(company, OPENED).when(set_limits, Limits(freeze_at_limit=True)).then_refused(
        "frozen at it"
    )
    for wrong in ("x", "a b@c", "a@b\n", "a@b@c", "@b", "a@\x00"):
        limits = Limits(warn_email=wrong)
        given(company, OPENED).when(set_limits, limits).then_refused("not an e-mail")
    given(company, OPENED).when(set_limits, Limits(credit_limit_micros=-1)).then_refused("negative")


@pytest.mark.parametrize(
    ("history", "balance", "expected"),
    [
        ([SET], 5_000_000, []),
        (
            [SET],
            4_999_999,
            [LowBalanceWarned(balance_micros=4_999_999, threshold_micros=5_000_000)],
        ),
        ([SET], 0, [LowBalanceWarned(balance_micros=0, threshold_micros=5_000_000)]),
        (
            [SET],
            -1,
            [
                LowBalanceWarned(balance_micros=-1, threshold_micros=5_000_000),
                AccountFrozenByPolicy(balance_micros=-1, limit_micros=0),
            ],
        ),
        (
            [
                SET,
                LowBalanceWarned(balance_micros=-1, threshold_micros=5_000_000),
                AccountFrozenByPolicy(balance_micros=-1, limit_micros=0),
            ],
            6_000_000,
            [
                LowBalanceOver(balance_micros=6_000_000),
                AccountUnfrozenByPolicy(balance_micros=6_000_000),
            ],
        ),
        ([SET, AccountFrozen(reason="unpaid")], 6_000_000, []),
        ([SET, AccountClosed(reason="left")], -1, []),
        ([], -1_000_000_000, []),
    ],
)
def test_the_policy_warns_once_freezes_once_and_undoes_its_own_freeze(
    history: list[object], balance: int, expected: list[object]
) -> None:
    given(company, OPENED, *history).when(apply_limits, balance).then(*expected)  # type: ignore[arg-type]


def test_a_person_can_take_over_the_freeze_of_the_policy() -> None:
    frozen = AccountFrozenByPolicy(balance_micros=-1, limit_micros=0)
    given(company, OPENED, SET, frozen).when(freeze, "unpaid").then(AccountFrozen(reason="unpaid"))


def test_a_closed_account_refuses_every_decision_but_settling() -> None:
    closed = given(company, OPENED, AccountClosed(reason="left"))
    for decision, arguments in (
        (recharge, (TEN, "cash")),
        (set_limits, (LIMITS,)),
        (freeze, ("x",)),
        (unfreeze, ("x",)),
        (close, ("x",)),
    ):
        closed.when(decision, *arguments).then_refused("This account is closed")
    settled = AccountAdjusted(amount_micros=-10_000_000, currency="EUR", reason="refunded")
    closed.when(adjust, Money(-10_000_000, "EUR"), "refunded").then(settled)
    with_recharge = given(company, OPENED, RECHARGED, AccountClosed(reason="left"))
    with_recharge.when(reverse_recharge, 2, "wrong").then(REVERSED)


def test_closing_settles_the_balance_in_the_same_decision() -> None:
    given(company, OPENED, RECHARGED).when(close, "left", Money(-10_000_000, "EUR")).then(
        AccountAdjusted(amount_micros=-10_000_000, currency="EUR", reason="left"),
        AccountClosed(reason="left"),
    )


@pytest.mark.parametrize("after", [
    AccountUnfrozen(reason="x"), AccountUnfrozenByPolicy(balance_micros=1),
    AccountFrozen(reason="x"), AccountFrozenByPolicy(balance_micros=1, limit_micros=2),
])  # fmt: skip
def test_nothing_reopens_a_closed_account(after: Event) -> None:
    history = (OPENED, AccountFrozen(reason="unpaid"), AccountClosed(reason="left"), after)
    given(company, *history).when(unfreeze, "x").then_refused("This account is closed")


def test_an_amount_that_nobody_can_pay_is_refused() -> None:
    cent = Money(12_345, "EUR")
    given(company, OPENED).when(recharge, cent, "cash").then_refused("at most 2 decimals")
    given(company, OPENED).when(adjust, cent, "x").then_refused("at most 2 decimals")
    limits = Limits(credit_limit_micros=12_345)
    given(company, OPENED).when(set_limits, limits).then_refused("at most 2 decimals")


def test_a_sub_account_without_a_wallet_is_not_recharged() -> None:
    opened = UserAccountOpened(company_id="acme", name="Ana", currency="EUR")
    given(sub_account, opened).when(recharge, TEN, "cash").then_refused("its company pays")
    given(sub_account, opened).when(rename, "Ana R.").then(SubAccountRenamed(name="Ana R."))
    given(sub_account, opened).when(rename, "Ana").then()


def test_everything_of_a_company_but_its_currency_can_be_changed() -> None:
    fields = {"name": "Acme, S.L.", "time_zone": "Atlantic/Canary", "payment": "prepaid"}
    given(company, OPENED).when(change_company, **fields).then(CompanyChanged(**fields))
    given(company, OPENED, CompanyChanged(**fields)).when(change_company, **fields).then()


def test_a_pin_belongs_to_one_account_at_a_time() -> None:
    digest = {"digest": "pin:1", "valid_from": None}
    given(company, OPENED).when(company.give_pin, account="user:a", **digest).then(
        PinGiven(digest="pin:1", account="user:a")
    )
    history = given(company, OPENED, PinGiven(digest="pin:1", account="user:a"))
    history.when(company.give_pin, account="user:b", **digest).then_refused("in use")
    gone = PinGiven(digest="pin:1", account="")
    given(company, OPENED, PinGiven(digest="pin:1", account="user:a"), gone).when(
        company.give_pin, account="user:b", **digest
    ).then(PinGiven(digest="pin:1", account="user:b"))


def test_months_are_closed_in_order_and_statements_once() -> None:
    closed = statement.MonthClosed(month="2026-10", zone="Europe/Madrid")
    given(statement).when(close_month, "2026-10", "Europe/Madrid").then(closed)
    given(statement, closed).when(close_month, "2026-10", "UTC").then()
    given(statement, closed).when(close_month, "2026-12", "UTC").then_refused("2026-11 is still")
    following = statement.MonthClosed(month="2026-11", zone="Europe/Madrid")
    given(statement, closed).when(close_month, "2026-11", "UTC").then(following)
    assert (month_after("2026-12"), month_before("2027-01")) == ("2027-01", "2026-12")


def test_a_statement_adds_up() -> None:
    charge = ClassCharge(call_class="local", calls=2, billed_seconds=60, amount_micros=30)
    totals = Totals(
        recharges_micros=100, reversals_micros=-20, adjustments_micros=5, charges=(charge, charge)
    )
    decided = decide(totals=totals, opening_micros=7)
    rounded = {"rounding_micros": -32, "closing_micros": 0}
    assert decided == [
        StatementRounded(month="2026-10", currency="EUR", amount_micros=-32),
        statement_of(totals=totals, opening_micros=7, **rounded),
    ]
    assert decide("2026-10", totals=totals, opening_micros=7) == []


@pytest.mark.parametrize(
    ("currency", "opening", "rounding"),
    [("EUR", 1_005_000, 5_000), ("EUR", -1_005_000, -5_000), ("EUR", 1_234_567, -4_567),
     ("CLP", 1_499_999, -499_999), ("KWD", 1_500, 500)],
)  # fmt: skip
def test_the_closing_balance_can_be_paid(currency: str, opening: int, rounding: int) -> None:
    *_, closed = decide(currency=currency, opening_micros=opening)
    assert closed == statement_of(
        currency=currency,
        opening_micros=opening,
        rounding_micros=rounding,
        closing_micros=opening + rounding,
    )


def test_a_balance_that_can_be_paid_is_not_rounded() -> None:
    assert decide(opening_micros=-70_000) == [
        statement_of(opening_micros=-70_000, closing_micros=-70_000)
    ]


def test_statements_are_completed_once_and_only_of_a_closed_month() -> None:
    closed = statement.MonthClosed(month="2026-10", zone="Europe/Madrid")
    completed = statement.StatementsCompleted(month="2026-10")
    given(statement).when(statement.complete_statements, "2026-10").then()
    given(statement, closed).when(statement.complete_statements, "2026-10").then(completed)
    given(statement, closed, completed).when(statement.complete_statements, "2026-10").then()
    given(statement, closed).when(statement.complete_statements, "2026-11").then_refused("open")


HEADING = Heading(name="Acme")
FIELDS: dict[str, Any] = {
    "month": "2026-10", "currency": "EUR", "totals": Totals(), "heading": HEADING
}  # fmt: skip


def decide(last: str = "", **fields: Any) -> list[Event]:
    return close_statement(last, **{**FIELDS, **fields})


def statement_of(**fields: Any) -> StatementClosed:
    return StatementClosed(**{"rounding_micros": 0, **FIELDS, **fields})

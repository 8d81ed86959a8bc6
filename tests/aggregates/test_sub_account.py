"""Sub-accounts: opened once, with a name; user accounts and gateway accounts alike."""

from typing import Any

import pytest

from billing.aggregates import sub_account
from billing.aggregates.event import Event
from billing.aggregates.sub_account import (
    GatewayAccountOpened,
    UserAccountOpened,
    open_sub_account,
)
from tests.given import given

OPENING: dict[str, Any] = {
    "company_id": "acme",
    "name": "Ana",
    "currency": "EUR",
    "own_wallet": True,
}
KINDS = pytest.mark.parametrize("kind", [UserAccountOpened, GatewayAccountOpened])


@KINDS
def test_a_sub_account_is_opened_once(kind: type[Event]) -> None:
    opened = kind(**OPENING)
    given(sub_account).when(open_sub_account, kind, **OPENING).then(opened)
    given(sub_account, opened).when(open_sub_account, kind, **OPENING).then_refused("already open")


@KINDS
def test_a_sub_account_needs_a_name(kind: type[Event]) -> None:
    nameless = {**OPENING, "name": " "}
    given(sub_account).when(open_sub_account, kind, **nameless).then_refused("needs a name")

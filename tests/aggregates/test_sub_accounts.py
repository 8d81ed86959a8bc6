"""User and gateway accounts, and administrators: opening."""

from typing import Any

from billing.aggregates import administrator, gateway_account, user_account
from billing.aggregates.administrator import AdministratorAdded, add_administrator
from billing.aggregates.gateway_account import GatewayAccountOpened, open_gateway_account
from billing.aggregates.user_account import UserAccountOpened, open_user_account
from tests.given import given

OPENING: dict[str, Any] = {
    "company_id": "acme",
    "name": "Ana",
    "currency": "EUR",
    "own_wallet": True,
}
MARTA = {"sign_in_name": "marta", "name": "Marta", "role": "auditor", "language": "es"}


def test_a_user_account_is_opened_once() -> None:
    given(user_account).when(open_user_account, **OPENING).then(UserAccountOpened(**OPENING))
    given(user_account, UserAccountOpened(**OPENING)).when(
        open_user_account, **OPENING
    ).then_refused("already open")


def test_a_gateway_account_is_opened_once() -> None:
    opened = GatewayAccountOpened(**OPENING)
    given(gateway_account).when(open_gateway_account, **OPENING).then(opened)
    given(gateway_account, opened).when(open_gateway_account, **OPENING).then_refused("already")


def test_sub_accounts_need_a_name() -> None:
    nameless = {**OPENING, "name": ""}
    given(user_account).when(open_user_account, **nameless).then_refused("needs a name")
    given(gateway_account).when(open_gateway_account, **nameless).then_refused("needs a name")


def test_an_administrator_is_added() -> None:
    given(administrator).when(add_administrator, **MARTA).then(AdministratorAdded(**MARTA))


def test_an_administrator_with_a_strange_name_role_or_language_is_refused() -> None:
    for wrong, words in (
        ({"sign_in_name": "Marta "}, "lower case"),
        ({"role": "king"}, "king is not a role"),
        ({"language": "fr"}, "fr is not a language"),
    ):
        given(administrator).when(add_administrator, **{**MARTA, **wrong}).then_refused(words)

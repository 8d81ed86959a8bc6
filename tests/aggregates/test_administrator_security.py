"""The second step and the API tokens of an administrator."""

from datetime import UTC, datetime

import pytest

from billing.aggregates import api_token, second_factor
from billing.aggregates.administrator import (
    AdministratorAdded,
    AdministratorChanged,
    AdministratorDisabled,
    AdministratorEnabled,
)
from billing.aggregates.api_token import ApiTokenMade, ApiTokenRevoked
from billing.aggregates.second_factor import (
    RecoveryCodesMade,
    RecoveryCodeUsed,
    TwoFactorDemanded,
    TwoFactorDisabled,
    TwoFactorEnabled,
    TwoFactorReset,
)
from billing.credentials.strength import refuse_weak
from billing.values import Refused
from tests.given import given

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
MARTA = AdministratorAdded(sign_in_name="marta", name="Marta", role="administrator", language="es")
OLGA = AdministratorAdded(sign_in_name="olga", name="Olga", role="operator", language="es")
PORTAL = ApiTokenMade(token_id="t1", name="Portal", scope="calls accounts")
ON = TwoFactorEnabled()
REQUEST = {"token_id": "t1", "name": "Portal ", "expires_at": None, "now": NOW}


def test_two_factor_is_switched_on_once_and_off_by_its_owner() -> None:
    given(second_factor, MARTA).when(second_factor.enable).then(ON)
    given(second_factor, MARTA, ON).when(second_factor.enable).then_refused("already on")
    given(second_factor, MARTA, ON).when(second_factor.disable).then(TwoFactorDisabled())
    given(second_factor, MARTA).when(second_factor.disable).then_refused("is off")
    given(second_factor, MARTA, ON, TwoFactorDisabled()).when(second_factor.enable).then(ON)


def test_required_two_factor_can_only_be_removed_by_somebody_else() -> None:
    required = TwoFactorDemanded(demanded=True)
    given(second_factor, MARTA).when(second_factor.demand, demanded=True).then(required)
    given(second_factor, MARTA, required).when(second_factor.demand, demanded=True).then()
    given(second_factor, MARTA, required, ON).when(second_factor.disable).then_refused("mandatory")
    given(second_factor, MARTA, required, ON).when(second_factor.reset).then(TwoFactorReset())
    given(second_factor, MARTA).when(second_factor.reset).then_refused("is off")


def test_recovery_codes_need_two_factor() -> None:
    used = RecoveryCodeUsed(left=9)
    given(second_factor, MARTA, ON).when(second_factor.use_code, left=9).then(used)
    given(second_factor, MARTA, ON).when(second_factor.renew_codes).then(RecoveryCodesMade())
    given(second_factor, MARTA).when(second_factor.use_code, left=9).then_refused("is off")
    given(second_factor, MARTA).when(second_factor.renew_codes).then_refused("is off")


def test_a_token_has_only_scopes_of_its_owner_s_role() -> None:
    scopes = ("accounts", "calls")
    given(api_token, OLGA).when(api_token.make, scopes=scopes, **REQUEST).then(PORTAL)
    recharge = {"scopes": ("recharge",), **REQUEST}
    given(api_token, OLGA).when(api_token.make, **recharge).then_refused(
        "can't create a token for recharge"
    )
    made = ApiTokenMade(token_id="t1", name="Portal", scope="recharge")
    given(api_token, MARTA).when(api_token.make, **recharge).then(made)
    demoted = AdministratorChanged(name="Marta", role="auditor", language="es")
    given(api_token, MARTA, demoted).when(api_token.make, **recharge).then_refused(
        "can't create a token for"
    )


def test_a_token_needs_a_unique_name_a_scope_and_a_future_expiry() -> None:
    for wrong, words in (
        ({"name": " "}, "needs a name"),
        ({"scopes": ()}, "at least one permission"),
        ({"scopes": ("everything",)}, "can't create a token for everything"),
        ({"expires_at": NOW}, "expired already"),
    ):
        request = {"scopes": ("calls",), **REQUEST, **wrong}
        given(api_token, MARTA).when(api_token.make, **request).then_refused(words)
    request = {"scopes": ("calls",), **REQUEST}
    given(api_token, MARTA, PORTAL).when(api_token.make, **request).then_refused("called Portal")
    most = [
        ApiTokenMade(token_id=str(number), name=str(number), scope="calls")
        for number in range(api_token.MOST_TOKENS)
    ]
    given(api_token, MARTA, *most).when(api_token.make, **request).then_refused("50 tokens already")


def test_a_token_is_revoked_once_or_when_its_owner_is_disabled() -> None:
    revoked = ApiTokenRevoked(token_id="t1", name="Portal")
    given(api_token, MARTA, PORTAL).when(api_token.revoke, "t1").then(revoked)
    given(api_token, MARTA, PORTAL, revoked).when(api_token.revoke, "t1").then_refused("revoked")
    gone = (MARTA, PORTAL, AdministratorDisabled())
    given(api_token, *gone).when(api_token.revoke, "t1").then_refused("already revoked")
    asked = {"scopes": ("calls",), **REQUEST}
    given(api_token, *gone).when(api_token.make, **asked).then_refused("disabled")
    back = (*gone, AdministratorEnabled())
    given(api_token, *back).when(api_token.revoke, "t1").then_refused("already revoked")


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("short", "at least 12"),
        ("aaaaaaaaaaaaaaaa", "Repeated characters"),
        ("marta marta marta", "Repeated characters"),
        ("MartaRuiz-2026", "Your name and the product's"),
        ("Contarifa2026!", "Your name and the product's"),
        ("MartaRuizContarifa1", "Your name and the product's"),
        ("123456789012", "Keyboard rows"),
        ("barcelona2026", "Years and dates"),
        ("contraseña1234", "first that attackers try"),
        ("a1" * 500, "Repeated characters"),
    ],
)
def test_a_password_that_can_be_guessed_is_refused(password: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        refuse_weak(password, "Marta Ruiz", "marta")


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "K7#qLmz0pWv2", "Marta y correct horse battery", "lluviadeverano"],
)
def test_a_password_that_is_hard_to_guess_is_accepted(password: str) -> None:
    refuse_weak(password, "Marta Ruiz", "marta", "")

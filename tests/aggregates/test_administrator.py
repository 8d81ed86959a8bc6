"""Administrators: who may sign in, with which role, limited to which companies."""

from typing import Any

from billing.aggregates import administrator
from billing.aggregates.administrator import (
    MOST_COMPANIES,
    AdministratorAdded,
    AdministratorChanged,
    AdministratorLimited,
    add_administrator,
    change_administrator,
    disable_administrator,
    limit_administrator,
)
from tests.given import given

ADDED = AdministratorAdded(sign_in_name="ana", name="Ana", role="administrator", language="es")
LIMITED = AdministratorLimited(companies=("clinica", "hoteles"))
ANA: dict[str, Any] = {"sign_in_name": "ana", "name": "Ana", "language": "es"}


def test_an_administrator_can_be_added_with_a_limit() -> None:
    given(administrator).when(
        add_administrator, **ANA, role="operator", companies=("hoteles", "clinica", "hoteles")
    ).then(
        AdministratorAdded(**ANA, role="operator"),
        LIMITED,  # sorted, each once
    )


def test_without_companies_there_is_no_limit() -> None:
    given(administrator).when(add_administrator, **ANA, role="administrator").then(ADDED)


def test_a_limit_is_set_changed_and_removed() -> None:
    given(administrator, ADDED).when(
        limit_administrator, companies=["hoteles", "clinica"], last=False
    ).then(LIMITED)
    given(administrator, ADDED, LIMITED).when(
        limit_administrator, companies=["clinica"], last=False
    ).then(AdministratorLimited(companies=("clinica",)))
    given(administrator, ADDED, LIMITED).when(limit_administrator, companies=(), last=True).then(
        AdministratorLimited(companies=())
    )


def test_setting_the_same_limit_again_gives_no_event() -> None:
    given(administrator, ADDED, LIMITED).when(
        limit_administrator, companies=("hoteles", "clinica"), last=True
    ).then()


def test_a_limit_names_at_most_200_companies() -> None:
    many = [str(number) for number in range(MOST_COMPANIES + 1)]
    given(administrator, ADDED).when(limit_administrator, companies=many, last=False).then_refused(
        "A limit has at most 200 companies"
    )


def test_the_last_administrator_can_not_be_limited() -> None:
    given(administrator, ADDED).when(
        limit_administrator, companies=("clinica",), last=True
    ).then_refused("The last administrator can't be limited")


def test_a_limited_administrator_never_counts_as_the_last() -> None:
    given(administrator, ADDED, LIMITED).when(disable_administrator, last=True).then(
        administrator.AdministratorDisabled()
    )
    given(administrator, ADDED, LIMITED).when(
        change_administrator, name="Ana", role="auditor", language="es", last=True
    ).then(AdministratorChanged(name="Ana", role="auditor", language="es"))


MARTA = {"sign_in_name": "marta", "name": "Marta", "role": "auditor", "language": "es"}


def test_an_administrator_is_added() -> None:
    given(administrator).when(add_administrator, **MARTA).then(AdministratorAdded(**MARTA))


def test_an_administrator_with_an_invalid_name_role_or_language_is_refused() -> None:
    for wrong, words in (
        ({"sign_in_name": "Marta "}, "lower case"),
        ({"role": "king"}, "king is not a role"),
        ({"language": "fr"}, "fr is not an available language"),
    ):
        given(administrator).when(add_administrator, **{**MARTA, **wrong}).then_refused(words)

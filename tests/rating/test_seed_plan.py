"""The initial number plan: Spain and Peru in detail, all other countries by their codes."""

from datetime import UTC, datetime

import pytest

from billing.rating.number_plan import NumberPlan, PlanEntry
from billing.rating.seed_plan import seed_plan
from billing.values import Refused

AT = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def entries() -> list[PlanEntry]:
    """The seed of Spain and Peru, with Spanish names."""
    return seed_plan(["ES", "PE"], "es")


@pytest.fixture(scope="module")
def plan(entries: list[PlanEntry]) -> NumberPlan:
    """A plan whose only layer is the seed."""
    return NumberPlan([entries])


@pytest.mark.parametrize(
    ("number", "area", "kind", "country"),
    [
        ("34912345678", "Madrid", "landline", "ES"),
        ("34932345678", "Barcelona", "landline", "ES"),
        ("34600123456", "España, móviles", "mobile", "ES"),
        ("34722123456", "España, móviles", "mobile", "ES"),
        ("34900123456", "España, número gratuito", "toll_free", "ES"),
        ("34806123456", "España, tarificación adicional", "premium", "ES"),
        ("34901123456", "España, coste compartido", "shared_cost", "ES"),
        ("5112345678", "Lima", "landline", "PE"),
        ("51912345678", "Perú, móviles", "mobile", "PE"),
        ("5180012345", "Perú, número gratuito", "toll_free", "PE"),
        ("5254123456", "México", "landline", "MX"),
        ("442079460000", "Reino Unido", "landline", "GB"),
        ("12125551212", "Estados Unidos", "landline", "US"),
        ("881612345678", "satélite", "satellite", ""),
    ],
)
def test_a_number_has_its_area_type_and_country(
    plan: NumberPlan, number: str, area: str, kind: str, country: str
) -> None:
    found = plan.attribute(number, AT)
    assert found is not None
    assert area in found.area
    assert (found.type, found.country) == (kind, country)


@pytest.mark.parametrize(
    ("dialled", "country", "kind"),
    [
        ("112", "ES", "emergency"),
        ("091", "ES", "emergency"),
        ("016", "ES", "toll_free"),
        ("11818", "ES", "premium"),
        ("010", "ES", "special"),
        ("105", "PE", "emergency"),
        ("116", "PE", "emergency"),
    ],
)
def test_short_codes_are_known_in_their_country(
    plan: NumberPlan, dialled: str, country: str, kind: str
) -> None:
    found = plan.short_code(dialled, country, AT)
    assert found is not None
    assert (found.type, found.country) == (kind, country)


def test_a_short_code_applies_in_its_country_only(plan: NumberPlan) -> None:
    for dialled, country in (("201", "ES"), ("105", "ES"), ("112", "MX"), ("25000", "ES")):
        assert plan.short_code(dialled, country, AT) is None  # 25000 is for text messages


def test_the_seed_is_deterministic(entries: list[PlanEntry]) -> None:
    assert seed_plan(["ES", "PE"], "es") == entries


def test_no_prefix_occurs_twice_in_a_country(entries: list[PlanEntry]) -> None:
    keys = [(each.prefix, each.short_code, each.country) for each in entries]
    assert len(set(keys)) == len(keys)


def test_names_are_in_the_requested_language() -> None:
    english = NumberPlan([seed_plan(["PE"], "en")])
    for number, area in (("34912345678", "Spain"), ("51912345678", "Peru, mobile")):
        found = english.attribute(number, AT)
        assert found is not None
        assert found.area == area


def test_an_unknown_country_is_refused() -> None:
    with pytest.raises(Refused, match="XX is not a country code"):
        seed_plan(["ES", "XX"], "es")


@pytest.fixture(scope="module")
def world() -> NumberPlan:
    """The seed of the countries that most installations have."""
    return NumberPlan([seed_plan(["ES", "MX", "CO", "AR", "CL", "PE", "CN", "US"], "es")])


@pytest.mark.parametrize(
    ("number", "area", "kind", "country"),
    [
        ("34973212345", "Lérida", "landline", "ES"),
        ("525512345678", "Ciudad de México", "landline", "MX"),
        ("528112345678", "Monterrey", "landline", "MX"),
        ("576011234567", "Bogotá", "landline", "CO"),
        ("573001234567", "Colombia, móviles", "mobile", "CO"),
        ("541143211234", "Buenos Aires", "landline", "AR"),
        ("5491143211234", "Argentina, móviles", "mobile", "AR"),
        ("56222345678", "Santiago", "landline", "CL"),
        ("56912345678", "Chile, móviles", "mobile", "CL"),
        ("5184123456", "Cusco", "landline", "PE"),
        ("51912345678", "Perú, móviles", "mobile", "PE"),
        ("861012345678", "Beijing", "landline", "CN"),
        ("8613312345678", "China, móviles", "mobile", "CN"),
        ("12125551212", "New York", "landline", "US"),
        ("13065551212", "Canadá", "landline", "CA"),
        ("17875551212", "Puerto Rico", "landline", "PR"),
        ("12423571234", "Bahamas", "landline", "BS"),
        ("18005551212", "Estados Unidos, número gratuito", "toll_free", "US"),
    ],
)
def test_the_usual_countries_have_plausible_areas(
    world: NumberPlan, number: str, area: str, kind: str, country: str
) -> None:
    found = world.attribute(number, AT)
    assert found is not None
    assert area in found.area
    assert (found.type, found.country) == (kind, country)


@pytest.mark.parametrize(
    ("dialled", "country"),
    [("911", "MX"), ("123", "CO"), ("107", "AR"), ("133", "CL"), ("105", "PE"), ("110", "CN")],
)
def test_the_usual_countries_have_their_emergency_numbers(
    world: NumberPlan, dialled: str, country: str
) -> None:
    found = world.short_code(dialled, country, AT)
    assert found is not None
    assert found.type == "emergency"


def test_the_plan_of_china_does_not_list_where_sim_cards_were_sold() -> None:
    assert len(seed_plan(["CN"], "es")) < 5_000

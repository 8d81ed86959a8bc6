"""The area and type of a number: layers, versions, lengths, short codes."""

from datetime import UTC, datetime
from typing import Any

from billing.rating.number_plan import NumberPlan, PlanEntry

MAY, JUNE = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
MADRID = "34911234567"


def entry(prefix: str, area: str, **fields: Any) -> PlanEntry:
    """A landline area in Spain, unless `fields` differ."""
    return PlanEntry(**{"prefix": prefix, "area": area, "type": "landline", **fields})


def code(prefix: str, area: str = "emergencies", **fields: Any) -> PlanEntry:
    """A short code in Spain with the length of `prefix`."""
    fields = {"type": "emergency", "country": "ES", "max_len": len(prefix), **fields}
    return entry(prefix, area, **fields)


def area(plan: NumberPlan, number: str, at: datetime = MAY, company_id: str = "") -> str | None:
    """The area of a number."""
    found = plan.attribute(number, at, company_id)
    return found.area if found else None


def short(plan: NumberPlan, dialled: str, country: str = "ES", company_id: str = "") -> str | None:
    """The area of a short code."""
    found = plan.short_code(dialled, country, MAY, company_id)
    return found.area if found else None


def test_the_longest_prefix_wins() -> None:
    plan = NumberPlan([[entry("34", "Spain"), entry("3491", "Madrid")]])
    assert area(plan, MADRID) == "Madrid"
    assert area(plan, "34921234567") == "Spain"
    assert area(plan, "4420794600") is None


def test_an_earlier_layer_precedes_a_longer_prefix_of_a_later_one() -> None:
    imported, seed = [entry("34", "imported")], [entry("3491", "seed"), entry("51", "Peru")]
    plan = NumberPlan([imported, seed])
    assert area(plan, MADRID) == "imported"
    assert area(plan, "5112345678") == "Peru"


def test_a_company_s_own_entries_precede_all_others_and_apply_to_it_only() -> None:
    plan = NumberPlan([[entry("3491", "Madrid")]], {"acme": [entry("34911", "head office")]})
    assert area(plan, MADRID, company_id="acme") == "head office"
    assert area(plan, MADRID, company_id="other") == "Madrid"
    assert area(plan, "34921", company_id="acme") is None


def test_an_entry_applies_from_its_effective_time_on() -> None:
    plan = NumberPlan([[entry("34", "Spain"), entry("3491", "new", effective_from=JUNE)]])
    assert area(plan, MADRID, MAY) == "Spain"
    assert area(plan, MADRID, JUNE) == "new"


def test_the_newest_version_counts_and_of_equal_ones_the_later_import() -> None:
    plan = NumberPlan(
        [
            [
                entry("34", "June", effective_from=JUNE),
                entry("34", "first"),
                entry("34", "second"),
            ]
        ]
    )
    assert area(plan, MADRID, MAY) == "second"
    assert area(plan, MADRID, JUNE) == "June"


def test_an_entry_applies_to_numbers_of_its_lengths() -> None:
    plan = NumberPlan([[entry("34", "Spain"), entry("349", "long", min_len=12, max_len=13)]])
    assert area(plan, MADRID) == "Spain"
    assert area(plan, MADRID + "8") == "long"
    assert area(plan, MADRID + "890") == "Spain"


def test_a_short_code_is_dialled_without_a_prefix_and_in_its_country_only() -> None:
    plan = NumberPlan([[code("112"), entry("34", "Spain")]])
    assert short(plan, "112") == "emergencies"
    assert short(plan, "1123") is None
    assert short(plan, "11") is None
    assert short(plan, "112", country="PE") is None
    assert plan.attribute("112", MAY) is None


def test_a_short_code_without_a_country_applies_everywhere_after_the_country_s_own() -> None:
    plan = NumberPlan([[code("112", "anywhere", country=""), code("112", "Spanish")]])
    assert short(plan, "112") == "Spanish"
    assert short(plan, "112", country="PE") == short(plan, "112", country="") == "anywhere"


def test_a_short_code_can_be_a_range() -> None:
    plan = NumberPlan([[code("118", "directory", min_len=5, max_len=5)]])
    assert short(plan, "11888") == "directory"
    assert short(plan, "118") is None


def test_short_codes_have_layers_too() -> None:
    plan = NumberPlan([[code("010", "imported")], [code("010", "seed"), code("112", "seed")]])
    assert short(plan, "010") == "imported"
    assert short(plan, "112") == "seed"


def test_a_company_s_short_code_applies_to_it_only() -> None:
    plan = NumberPlan([[code("010", "town hall")]], {"acme": [code("010", "own service")]})
    assert short(plan, "010", company_id="acme") == "own service"
    assert short(plan, "010", company_id="other") == short(plan, "010") == "town hall"


def test_a_short_code_applies_from_its_effective_time_on() -> None:
    plan = NumberPlan([[code("010", effective_from=JUNE)]])
    assert plan.short_code("010", "ES", MAY) is None
    assert plan.short_code("010", "ES", JUNE) is not None


def test_an_empty_plan_finds_nothing() -> None:
    assert NumberPlan().attribute(MADRID, MAY) is None
    assert NumberPlan().short_code("112", "ES", MAY) is None

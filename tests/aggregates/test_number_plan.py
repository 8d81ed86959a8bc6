"""The number plan: a layer is replaced as a whole."""

from billing.aggregates import number_plan
from billing.aggregates.number_plan import NumberPlanReplaced, replace_number_plan
from billing.rating.number_plan import PlanEntry
from tests.given import given

MADRID = PlanEntry(prefix="3491", area="Madrid", type="landline", country="ES")
BILBAO = PlanEntry(prefix="34944", area="Bilbao", type="landline", country="ES")


def test_a_layer_is_replaced_as_a_whole() -> None:
    given(number_plan).when(replace_number_plan, (MADRID,)).then(
        NumberPlanReplaced(entries=(MADRID,))
    )
    given(number_plan, NumberPlanReplaced(entries=(MADRID,))).when(
        replace_number_plan, (BILBAO,)
    ).then(NumberPlanReplaced(entries=(BILBAO,)))


def test_a_layer_can_be_emptied() -> None:
    given(number_plan, NumberPlanReplaced(entries=(MADRID,))).when(replace_number_plan, ()).then(
        NumberPlanReplaced(entries=())
    )


def test_one_invalid_entry_refuses_the_layer() -> None:
    for prefix in ("+34", "", "٣٤"):
        wrong = PlanEntry(prefix=prefix, area="x", type="landline")
        given(number_plan).when(replace_number_plan, (MADRID, wrong)).then_refused("digits only")
    fax = PlanEntry(prefix="34", area="x", type="fax")
    given(number_plan).when(replace_number_plan, (fax,)).then_refused("'fax' is not a type")

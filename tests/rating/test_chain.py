"""From a record to a charge: the owner, the number, the rate, and every possible outcome."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from billing.rating import chain
from billing.rating.cdr import Cdr
from billing.rating.chain import REASONS, STEPS
from billing.rating.context import (
    AccountProfile,
    Assignment,
    CompanyProfile,
    DeviceProfile,
    Rating,
    RatingContext,
    encode_steps,
)
from billing.rating.number_plan import NumberPlan, PlanEntry
from billing.rating.numbers import RoutePrefix
from billing.rating.rates import Band, Rate, RateGroup, Tier

NOON = datetime(2026, 5, 4, 10, tzinfo=UTC)  # a Monday
MAY, JUNE = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
DAY_MS = 86_400_000
ANA, BOB, GATEWAY = "user:ana", "user:bob", "gateway:north"


def entry(prefix: str, area: str, kind: str = "landline", country: str = "ES") -> PlanEntry:
    """An entry of the plan; without a + and with at most 3 digits it is a short code."""
    short = len(prefix) if len(prefix) == 3 and kind not in ("landline", "mobile") else 0
    return PlanEntry(prefix=prefix, area=area, type=kind, country=country, max_len=short)


PLAN = NumberPlan(
    [
        [
            entry("34", "Spain"),
            entry("3491", "Madrid"),
            entry("346", "Spain, mobile", "mobile"),
            entry("34900", "Spain, toll-free", "toll_free"),
            entry("34806", "Spain, premium", "premium"),
            entry("112", "Emergencies", "emergency"),
            entry("010", "Town hall", "special"),
            entry("51", "Peru", country="PE"),
            entry("1", "United States", country="US"),
            entry("1416", "Toronto", country="CA"),
            entry("8816", "Iridium", "satellite", ""),
        ]
    ]
)


def rate(key: str, price: str = "0.06", **fields: Any) -> Rate:
    """A rate for a prefix, or for a class or an area if the key is not digits."""
    if key.isdigit():
        fields["prefix"] = key
    elif key in ("internal", "inbound", "local", "national", "international"):
        fields["call_class"] = key
    else:
        fields["area"] = key
    return Rate(**{"name": key, "tiers": (Tier(price=price),), **fields})


STANDARD = (
    rate("local", "0.01"),
    rate("national", "0.02"),
    rate("international", "0.50"),
    rate("346", "0.12", name="Mobile"),
    rate("51", "0.30"),
)


def owned(*accounts: str | tuple[str, datetime | None]) -> tuple[Assignment, ...]:
    """Assignments to these accounts, some from a given time on."""
    return tuple(
        Assignment(each) if isinstance(each, str) else Assignment(*each) for each in accounts
    )


def device(**fields: Any) -> DeviceProfile:
    """A switch in Madrid."""
    place = {"device_id": "pbx", "company_id": "acme", "country": "ES", "area_code": "91"}
    return DeviceProfile(**{**place, **fields})


def context(*rates: Rate, **fields: Any) -> RatingContext:
    """A context with Acme and Zeta; Acme has the standard group, or one with these rates."""
    place: dict[str, Any] = {"currency": "EUR", "zone": ZoneInfo("Europe/Madrid")}
    bound = fields.pop("bound", ((None, "g1"),))
    given = {
        "companies": {
            "acme": CompanyProfile(company_id="acme", rate_groups=bound, **place),
            "zeta": CompanyProfile(company_id="zeta", rate_groups=((None, "g1"),), **place),
        },
        "accounts": {ANA: AccountProfile(), BOB: AccountProfile(own_wallet=True)},
        "groups": {"g1": RateGroup("g1", "Standard", "EUR", rates or STANDARD)},
        "plan": PLAN,
        "pins": {("acme", "4711"): owned(BOB)},
    }
    return RatingContext(**{**given, **fields})


def cdr(called: str = "912345678", **fields: Any) -> Cdr:
    """An answered call of one minute."""
    return Cdr(
        **{
            "key": "1",
            "started_at": NOON,
            "answered_at": NOON,
            "duration_ms": 65_000,
            "billed_ms": 60_000,
            "caller": "101",
            "called": called,
            "direction": "outbound",
            "result": "answered",
            **fields,
        }
    )


def rate_cdr(
    record: Cdr, profile: DeviceProfile | None = None, given: RatingContext | None = None
) -> Rating:
    """Rate the call and check that every step can be explained."""
    rating = chain.rate_cdr(record, profile or device(), given or context())
    for code, *values in rating.steps:
        assert len(values) == len(STEPS[code]), code
        assert all(isinstance(value, str) for value in values)
    if rating.status == "suspended":
        assert rating.reason in REASONS
        assert rating.amount_micros == rating.billed_seconds == 0
    else:
        assert rating.reason == ""
    return rating


def codes(rating: Rating) -> list[str]:
    """The codes of a rating's steps."""
    return [step[0] for step in rating.steps]


# --- the whole chain -------------------------------------------------------------------------


def test_a_call_is_rated_step_by_step() -> None:
    extensions = {("", "101"): owned(ANA)}
    rating = rate_cdr(cdr("600123456"), device(extensions=extensions))
    assert rating == Rating(
        status="rated",
        company_id="acme",
        user_account=ANA,
        payer="company:acme",
        extension="101",
        direction="outbound",
        number="+34600123456",
        call_class="national",
        area="Spain, mobile",
        area_type="mobile",
        country="ES",
        group_id="g1",
        rate_name="Mobile",
        rate_prefix="346",
        billed_seconds=60,
        amount_micros=120_000,
        currency="EUR",
        encoded_steps=encode_steps(
            (
                ("by_extension", "101", ANA),
                ("direction", "outbound"),
                ("e164", "600123456", "+34600123456"),
                ("attribution", "346", "Spain, mobile", "mobile"),
                ("class", "national"),
                ("rate", "Mobile", "346", ""),
                ("line", "", "0.12", "60", "1", "60"),
                ("rounded", "half_up", "4", "0.12"),
            )
        ),
    )


def test_fee_bands_bounds_and_rounding_are_explained() -> None:
    night = Band(name="night", from_time="22:00", to_time="06:00", tiers=(Tier(price="0.03"),))
    split = rate(
        "34",
        connect_fee="0.10",
        bands=(night,),
        band_policy="split",
        effective_from=MAY,
        max_cost="0.125",
        decimals=2,
        rounding="half_even",
    )
    late = NOON.replace(hour=19, minute=59)  # 21:59 in Madrid
    record = cdr(started_at=late, answered_at=late, billed_ms=120_000)
    rating = rate_cdr(record, given=context(split))
    assert rating.steps[-6:] == (
        ("rate", "34", "34", "2026-05-01"),
        ("connect_fee", "0.1"),
        ("line", "", "0.06", "60", "1", "60"),
        ("line", "night", "0.03", "60", "1", "60"),
        ("max", "0.125"),
        ("rounded", "half_even", "2", "0.12"),
    )
    assert rating.amount_micros == 120_000


def test_the_minimum_cost_is_explained() -> None:
    rating = rate_cdr(cdr(billed_ms=1000), given=context(rate("34", min_cost="0.05")))
    assert ("min", "0.05") in rating.steps
    assert rating.amount_micros == 50_000


def test_a_call_under_free_below_costs_nothing() -> None:
    rating = rate_cdr(cdr(billed_ms=2999), given=context(rate("34", free_below_s=3)))
    assert rating.steps[-1] == ("free_below", "3")
    assert (rating.status, rating.amount_micros, rating.rate_name) == ("rated", 0, "34")


# --- implausible records ---------------------------------------------------------------------


@pytest.mark.parametrize("problem", ["unreadable", "unfinished", "bad_time", "bad_duration"])
def test_a_record_s_own_problem_suspends_it(problem: str) -> None:
    rating = rate_cdr(cdr(problem=problem))
    assert (rating.status, rating.reason, rating.steps) == ("suspended", problem, ())
    assert rating.company_id == "acme"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"started_at": None}, "bad_time"),
        ({"billed_ms": -1}, "bad_duration"),
        ({"duration_ms": -1}, "bad_duration"),
        ({"billed_ms": 30 * DAY_MS + 1}, "bad_duration"),
        ({"duration_ms": 30 * DAY_MS + 1}, "bad_duration"),
    ],
)
def test_an_implausible_record_is_suspended(fields: dict[str, Any], reason: str) -> None:
    assert rate_cdr(cdr(**fields)).reason == reason


def test_a_call_over_a_day_is_charged_and_flagged() -> None:
    rating = rate_cdr(cdr(billed_ms=30 * DAY_MS, flags=("repaired",)))
    assert rating.flags == ("repaired", "over_24h")
    assert rating.amount_micros == 30 * 1440 * 10_000
    assert rate_cdr(cdr(billed_ms=DAY_MS)).flags == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"billed_ms": 0},
        {"billed_ms": 0, "result": "busy"},
        {"result": "no_answer"},
        {"billed_ms": 0, "called": ""},
        {"billed_ms": 0, "called": "806123456"},
    ],
)
def test_an_unanswered_call_is_recorded_and_never_charged(fields: dict[str, Any]) -> None:
    rating = rate_cdr(cdr(**fields), given=context(rate("34", connect_fee="1", min_cost="1")))
    assert (rating.status, rating.amount_micros, rating.rate_name) == ("rated", 0, "")
    assert rating.steps[-1] == ("unanswered", fields.get("result", "answered"))


def test_talk_time_without_a_result_is_charged() -> None:
    assert rate_cdr(cdr(result="")).amount_micros == 10_000


# --- the owner -------------------------------------------------------------------------------

OWNERS = device(
    extensions={("", "101"): owned(ANA)},
    trunks={"north": owned(GATEWAY)},
)


@pytest.mark.parametrize(
    ("fields", "gateway_first", "account", "step"),
    [
        ({"pin": "4711", "source_trunk": "north"}, False, BOB, "by_pin"),
        ({"pin": "4711", "source_trunk": "north"}, True, BOB, "by_pin"),
        ({"pin": "0000", "source_trunk": "north"}, False, ANA, "by_extension"),
        ({"source_trunk": "north"}, True, GATEWAY, "by_trunk"),
        ({"source_trunk": "north", "caller": "999"}, False, GATEWAY, "by_trunk"),
        ({"source_trunk": "south"}, True, ANA, "by_extension"),
        ({"source_trunk": "south", "caller": "999"}, False, "", "by_company"),
        ({"caller": "999"}, True, "", "by_company"),
    ],
)
def test_pin_then_extension_then_trunk_then_company(
    fields: dict[str, Any], gateway_first: bool, account: str, step: str
) -> None:
    profile = device(
        extensions=OWNERS.extensions,
        trunks=OWNERS.trunks,
        gateway_first=gateway_first,
    )
    rating = rate_cdr(cdr(**fields), profile)
    assert rating.user_account + rating.gateway_account == account
    assert rating.steps[0][0] == step
    assert rating.payer == ("user:bob" if account == BOB else "company:acme")


def test_a_sub_account_with_its_own_wallet_pays() -> None:
    wallets = context(accounts={GATEWAY: AccountProfile(own_wallet=True)})
    rating = rate_cdr(cdr(source_trunk="north", caller="9"), OWNERS, wallets)
    assert (rating.payer, rating.gateway_account, rating.company_id) == (GATEWAY, GATEWAY, "acme")


def test_an_unknown_account_leaves_the_charge_to_the_company_s_wallet() -> None:
    assert rate_cdr(cdr(), OWNERS, context(accounts={})).payer == "company:acme"


@pytest.mark.parametrize(
    ("history", "account"),
    [
        ([(ANA, None)], ANA),
        ([(ANA, None), (BOB, MAY)], BOB),
        ([(ANA, None), (BOB, JUNE)], ANA),
        ([(BOB, MAY), (ANA, None)], BOB),
        ([(ANA, MAY), (BOB, MAY)], BOB),  # the later assignment
        ([(ANA, None), (BOB, None)], BOB),
        ([(ANA, NOON)], ANA),
        ([(ANA, NOON + timedelta(microseconds=1))], ""),
        ([(ANA, None), ("", MAY)], ""),  # assigned back to the company
        ([(ANA, MAY), (BOB, MAY - timedelta(days=1))], ANA),
    ],
)
def test_the_assignment_at_the_start_of_the_call_counts(
    history: list[tuple[str, datetime | None]], account: str
) -> None:
    later = NOON + timedelta(days=60)  # the time of the answer does not matter
    record = cdr(answered_at=later)
    by_extension = rate_cdr(record, device(extensions={("", "101"): owned(*history)}))
    assert by_extension.user_account == account
    by_pin = rate_cdr(cdr(pin="1"), device(), context(pins={("acme", "1"): owned(*history)}))
    assert by_pin.user_account == account


def test_a_hosted_device_finds_company_and_extensions_by_tenant() -> None:
    hosted = device(
        tenants={"a.example": "acme", "z.example": "zeta"},
        extensions={("a.example", "101"): owned(ANA), ("z.example", "101"): owned(BOB)},
    )
    first, second = (rate_cdr(cdr(tenant=f"{name}.example"), hosted) for name in "az")
    assert (first.company_id, first.user_account) == ("acme", ANA)
    assert (second.company_id, second.user_account) == ("zeta", BOB)


def test_the_account_code_can_name_the_tenant() -> None:
    hosted = device(tenants={"zeta": "zeta"}, extensions={("zeta", "101"): owned(ANA)})
    rating = rate_cdr(cdr(pin="zeta", tenant="from-internal"), hosted)
    assert (rating.company_id, rating.user_account) == ("zeta", ANA)


def test_an_unknown_tenant_has_no_account() -> None:
    hosted = device(tenants={"a.example": "acme"})
    for record in (cdr(tenant="b.example"), cdr()):
        rating = rate_cdr(record, hosted)
        assert (rating.reason, rating.company_id, rating.steps) == ("no_account", "", ())


def test_a_hosted_device_never_searches_another_tenant() -> None:
    hosted = device(tenants={"a.example": "acme"}, extensions={("", "101"): owned(BOB)})
    assert rate_cdr(cdr(tenant="a.example"), hosted).user_account == ""


def test_the_context_of_a_device_without_tenants_is_ignored() -> None:
    assert rate_cdr(cdr(tenant="from-internal"), OWNERS).user_account == ANA


def test_an_unknown_company_has_no_account() -> None:
    assert rate_cdr(cdr(), device(company_id="gone")).reason == "no_account"


@pytest.mark.parametrize("frozen", [ANA, "company:acme"])
def test_a_call_of_a_frozen_account_is_charged_and_flagged(frozen: str) -> None:
    rating = rate_cdr(cdr(), OWNERS, context(holds={frozen: "frozen_account"}))
    assert rating.flags == ("frozen_account",)
    assert rating.amount_micros == 10_000


def test_a_freeze_of_another_account_does_not_matter() -> None:
    own_wallet = device(extensions={("", "101"): owned(BOB)})
    assert (
        rate_cdr(
            cdr(), own_wallet, context(holds=dict.fromkeys(("company:acme", ANA), "frozen_account"))
        ).flags
        == ()
    )


# --- direction -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caller", "called", "direction"),
    [
        ("101", "912345678", "outbound"),
        ("912345678", "101", "inbound"),
        ("101", "101", "internal"),
        ("912345678", "600123456", "outbound"),
    ],
)
def test_a_missing_direction_follows_from_the_extensions(
    caller: str, called: str, direction: str
) -> None:
    record = cdr(called, caller=caller, direction="")
    assert rate_cdr(record, OWNERS).direction == direction


def test_the_direction_in_the_record_counts() -> None:
    assert rate_cdr(cdr("101", direction="outbound", caller="1"), OWNERS).direction == "outbound"


def test_a_dialled_number_never_pays_even_if_it_looks_like_an_extension() -> None:
    rating = rate_cdr(cdr("101", caller="999"), OWNERS)
    assert (rating.user_account, rating.extension) == ("", "")


def test_an_inbound_call_belongs_to_the_extension_called_and_is_free_without_a_rate() -> None:
    record = cdr("101", caller="600123456", direction="inbound")
    rating = rate_cdr(record, OWNERS)
    assert (rating.user_account, rating.extension, rating.payer) == (ANA, "101", "company:acme")
    assert (rating.number, rating.area) == ("+34600123456", "Spain, mobile")
    assert (rating.status, rating.amount_micros) == ("rated", 0)
    assert rating.steps[-1] == ("not_charged", "inbound")
    charged = rate_cdr(record, OWNERS, context(rate("inbound", "0.04"), rate("34", "9")))
    assert charged.amount_micros == 40_000


def test_an_inbound_call_with_a_hidden_caller_is_recorded() -> None:
    rating = rate_cdr(cdr("101", caller="anonymous", direction="inbound"), OWNERS)
    assert (rating.status, rating.number, rating.call_class) == ("rated", "", "")


def test_an_internal_call_costs_what_the_internal_rate_says() -> None:
    record = cdr("102", direction="internal")
    rating = rate_cdr(record, OWNERS)
    assert (rating.call_class, rating.number, rating.amount_micros) == ("internal", "102", 0)
    assert codes(rating)[-2:] == ["class", "not_charged"]
    charged = rate_cdr(record, OWNERS, context(rate("internal", "0.005")))
    assert charged.amount_micros == 5_000


def test_inbound_and_internal_calls_need_no_group() -> None:
    for direction in ("inbound", "internal"):
        rating = rate_cdr(cdr("101", direction=direction), given=context(bound=()))
        assert (rating.status, rating.amount_micros) == ("rated", 0)


def test_the_second_leg_of_a_conversation_is_never_charged() -> None:
    for given in (context(), context(bound=())):
        rating = rate_cdr(cdr(flags=("b_leg",)), given=given)
        assert (rating.status, rating.amount_micros, rating.flags) == ("rated", 0, ("b_leg",))
        assert rating.steps[-1] == ("b_leg",)
        assert rating.number == "+34912345678"


# --- the number ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("called", "number", "call_class", "area"),
    [
        ("912345678", "+34912345678", "local", "Madrid"),
        ("2345678", "+34912345678", "local", "Madrid"),
        ("0034912345678", "+34912345678", "local", "Madrid"),
        ("932345678", "+34932345678", "national", "Spain"),
        ("+34932345678", "+34932345678", "national", "Spain"),
        ("600123456", "+34600123456", "national", "Spain, mobile"),
        ("0051912345678", "+51912345678", "international", "Peru"),
        ("0012125551212", "+12125551212", "international", "United States"),
        ("00442079460000", "+442079460000", "international", ""),
        ("900123456", "+34900123456", "special", "Spain, toll-free"),
        ("806123456", "+34806123456", "special", "Spain, premium"),
        ("112", "112", "special", "Emergencies"),
        ("010", "010", "special", "Town hall"),
        ("1234", "1234", "", ""),  # not the United States
        ("12125551212", "12125551212", "international", "United States"),  # as a trunk sends it
        ("*98", "*98", "", ""),
        ("*31#600123456", "*31#600123456", "", ""),
    ],
)
def test_number_class_and_area(called: str, number: str, call_class: str, area: str) -> None:
    rating = rate_cdr(cdr(called))
    assert (rating.number, rating.call_class, rating.area) == (number, call_class, area)


def test_a_number_of_a_country_that_shares_the_code_is_international() -> None:
    american = device(country="US", area_code="")
    assert rate_cdr(cdr("4165551212"), american).call_class == "international"
    assert rate_cdr(cdr("2125551212"), american).call_class == "national"


def test_a_number_unknown_to_the_plan_still_has_a_class() -> None:
    rating = rate_cdr(cdr("912345678"), given=context(plan=NumberPlan()))
    assert (rating.call_class, rating.country, rating.amount_micros) == ("local", "", 10_000)
    assert ("no_attribution", "34912345678") in rating.steps


def test_a_route_prefix_is_removed_before_short_codes_and_numbers() -> None:
    behind = device(route_prefixes=(RoutePrefix(order=1, prefix="0"),))
    rating = rate_cdr(cdr("0600123456"), behind)
    assert ("route_prefix", "0", "", "600123456") in rating.steps
    assert rating.number == "+34600123456"
    assert rate_cdr(cdr("0112"), behind).area == "Emergencies"
    assert rate_cdr(cdr("010"), behind).area == "Town hall"  # without a prefix
    assert rate_cdr(cdr("00051912345678"), behind).number == "+51912345678"


def test_without_digits_there_is_no_number() -> None:
    for called in ("", "anonymous"):
        assert rate_cdr(cdr(called)).reason == "no_number"


def test_numbers_without_an_international_form_are_rated_by_the_dialled_digits() -> None:
    rating = rate_cdr(cdr("7777"), given=context(rate("7777", "0.25")))
    assert (rating.number, rating.amount_micros) == ("7777", 250_000)
    assert ("as_dialled", "7777") in rating.steps


# --- the rate --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rates", "name"),
    [
        (("34", "3491", "Madrid", "local"), "3491"),
        (("34", "Madrid", "local"), "34"),
        (("Madrid", "local", "national"), "Madrid"),
        (("local", "national", "international"), "local"),
    ],
)
def test_prefix_before_area_before_class(rates: tuple[str, ...], name: str) -> None:
    assert rate_cdr(cdr(), given=context(*map(rate, rates))).rate_name == name


def test_without_a_rate_for_its_class_a_call_is_suspended() -> None:
    rating = rate_cdr(cdr("932345678"), given=context(rate("local")))
    assert (rating.reason, rating.group_id, rating.payer) == ("no_rate", "g1", "company:acme")
    assert codes(rating)[-1] == "class"


def test_without_a_group_a_call_is_suspended() -> None:
    for bound in ((), ((None, "gone"),), ((JUNE, "g1"),)):
        assert rate_cdr(cdr(), given=context(bound=bound)).reason == "no_rate_group"


@pytest.mark.parametrize(
    ("bound", "group"),
    [
        (((None, "g1"), (MAY, "g2")), "g2"),
        (((MAY, "g2"), (None, "g1")), "g2"),
        (((None, "g1"), (JUNE, "g2")), "g1"),
        (((MAY, "g1"), (MAY, "g2")), "g2"),
        (((None, "g1"), (None, "g2")), "g2"),
        (((NOON, "g2"), (MAY, "g1")), "g2"),
    ],
)
def test_the_group_bound_at_the_start_of_the_call_counts(
    bound: tuple[tuple[datetime | None, str], ...], group: str
) -> None:
    groups = {name: RateGroup(name, name, "EUR", STANDARD) for name in ("g1", "g2")}
    record = cdr(answered_at=NOON + timedelta(days=60))
    assert rate_cdr(record, given=context(bound=bound, groups=groups)).group_id == group


def test_the_version_in_force_at_the_answer_counts_for_the_whole_call() -> None:
    versions = (rate("34", "0.06"), rate("34", "0.60", effective_from=NOON))
    just_before = NOON - timedelta(seconds=1)
    before = cdr(started_at=just_before, answered_at=just_before)
    assert rate_cdr(before, given=context(*versions)).amount_micros == 60_000
    rang_before = cdr(started_at=just_before)
    assert rate_cdr(rang_before, given=context(*versions)).amount_micros == 600_000
    not_told = cdr(answered_at=None)
    assert rate_cdr(not_told, given=context(*versions)).amount_micros == 600_000


CLASSES = (rate("local"), rate("national"), rate("international"))


@pytest.mark.parametrize("called", ["806123456", "010", "+881612345678"])
def test_special_numbers_never_fall_back_to_a_class_or_a_country_s_rate(called: str) -> None:
    rates = (*CLASSES, rate("34"), rate("0"))
    assert rate_cdr(cdr(called), given=context(*rates)).reason == "no_rate"


@pytest.mark.parametrize(
    ("called", "key"),
    [
        ("806123456", "34806"),
        ("806123456", "348061"),
        ("806123456", "Spain, premium"),
        ("010", "010"),
        ("010", "Town hall"),
        ("+881612345678", "8816"),
        ("+881612345678", "881"),
        ("900123456", "34900"),
    ],
)
def test_special_numbers_have_their_own_rates(called: str, key: str) -> None:
    rating = rate_cdr(cdr(called), given=context(*CLASSES, rate("34"), rate(key, "1.5")))
    assert (rating.rate_name, rating.amount_micros) == (key, 1_500_000)


@pytest.mark.parametrize(("called", "kind"), [("112", "emergency"), ("900123456", "toll_free")])
def test_emergency_and_toll_free_calls_are_free(called: str, kind: str) -> None:
    for given in (context(*CLASSES, rate("34"), rate("1")), context(bound=())):
        rating = rate_cdr(cdr(called), given=given)
        assert (rating.status, rating.amount_micros, rating.rate_name) == ("rated", 0, "")
        assert rating.steps[-1] == ("free_class", kind)


def test_an_emergency_is_free_even_if_a_deck_has_the_same_digits() -> None:
    rating = rate_cdr(cdr("112"), given=context(rate("112", "9")))
    assert rating.amount_micros == 0


def test_a_forbidden_call_costs_nothing_and_is_flagged() -> None:
    barred = rate("51", "9", forbidden=True)
    rating = rate_cdr(cdr("0051912345678"), given=context(*CLASSES, barred))
    assert (rating.status, rating.amount_micros, rating.flags) == ("rated", 0, ("forbidden",))
    assert (rating.rate_name, rating.steps[-1]) == ("51", ("forbidden", "51"))


def test_a_rate_without_a_price_at_that_hour_suspends_the_call() -> None:
    night = Band(name="night", from_time="22:00", to_time="06:00", tiers=(Tier(price="1"),))
    only_night = rate("34", tiers=(), bands=(night,))
    rating = rate_cdr(cdr(), given=context(only_night))
    assert (rating.reason, rating.rate_name) == ("no_rate", "34")


def test_bands_are_in_the_company_s_time_zone() -> None:
    night = Band(name="night", from_time="22:00", to_time="06:00", tiers=(Tier(price="0.03"),))
    rates = context(rate("34", bands=(night,)))
    for zone, micros in (("Europe/Madrid", 60_000), ("Asia/Tokyo", 60_000), ("Etc/GMT+8", 30_000)):
        acme = CompanyProfile(
            company_id="acme", currency="EUR", zone=ZoneInfo(zone), rate_groups=((None, "g1"),)
        )
        rates.companies["acme"] = acme
        assert rate_cdr(cdr(), given=rates).amount_micros == micros


# --- never raises ----------------------------------------------------------------------------


def odd_records() -> Iterator[Cdr]:
    """Records with one oddity each."""
    for text in ("", "+", "0", "00", "+0", "*", "#", "**", "9" * 400, "\u0660\u0661", "a@b;c"):
        for direction in ("outbound", "inbound", "internal", ""):
            for field in ("caller", "called", "pin", "tenant", "source_trunk"):
                yield cdr(**{"direction": direction, field: text})


def test_odd_records_are_rated_or_suspended_and_never_raise() -> None:
    places = [("ES", "91"), ("DE", "33203"), ("IT", "06"), ("AR", "11"), ("US", "212"), ("", "")]
    for country, area_code in places:
        profile = device(
            country=country,
            area_code=area_code,
            route_prefixes=(RoutePrefix(order=1, prefix="0"), RoutePrefix(order=2, prefix="+")),
        )
        for record in odd_records():
            assert rate_cdr(record, profile).status in ("rated", "suspended")


def one_of_each() -> Iterator[Rating]:
    """Calls that together have every outcome and every step."""
    night = Band(name="night", from_time="22:00", to_time="06:00", tiers=(Tier(price="1"),))
    fees = context(rate("34", connect_fee="0.10", max_cost="0.11"), rate("51", forbidden=True))
    for problem in ("unreadable", "unfinished", "bad_time", "bad_duration"):
        yield rate_cdr(cdr(problem=problem))
    yield rate_cdr(cdr(), device(company_id="gone"))
    yield rate_cdr(cdr("anonymous"), OWNERS)
    yield rate_cdr(cdr(pin="4711"), OWNERS, context(bound=()))
    yield rate_cdr(cdr("806123456", caller="9", source_trunk="north"), OWNERS)
    yield rate_cdr(cdr("1234"))
    yield rate_cdr(cdr(flags=("b_leg",)))
    yield rate_cdr(cdr(billed_ms=0))
    yield rate_cdr(cdr("112"), device(route_prefixes=(RoutePrefix(order=1, prefix="0"),)))
    yield rate_cdr(cdr("0112"), device(route_prefixes=(RoutePrefix(order=1, prefix="0"),)))
    yield rate_cdr(cdr(direction="internal"))
    yield rate_cdr(cdr(), given=fees)
    yield rate_cdr(cdr("+51912345678"), given=fees)
    yield rate_cdr(cdr(), given=context(rate("34", free_below_s=90)))
    yield rate_cdr(cdr(), given=context(rate("34", min_cost="5")))
    yield rate_cdr(cdr(), given=context(rate("34", tiers=(), bands=(night,))))
    yield rate_cdr(cdr(), given=context(rate("34", connect_fee="1" + "0" * 15)))


def test_every_step_and_every_reason_occurs() -> None:
    ratings = list(one_of_each())
    assert {code for rating in ratings for code in codes(rating)} == set(STEPS)
    assert {rating.reason for rating in ratings} - {""} == set(REASONS)

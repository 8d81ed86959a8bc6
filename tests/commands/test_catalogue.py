"""No event that rating reads can stop the submissions, whatever it says."""

import psycopg
import pytest

from billing.aggregates.bounds import refuse_unfit
from billing.aggregates.device import DeviceChanged
from billing.aggregates.events import TOPICS
from billing.aggregates.rate_group import RatesChanged
from billing.commands.catalogue import Catalogue
from billing.log.store import Pending, Store
from billing.rating.rates import Band, Rate, Tier
from billing.values import Refused
from tests.commands.test_calls import record, send, statuses
from tests.ingest.serving import install
from tests.projections.sample import SAID
from tests.projections.test_hostile_events import hostile_events

# The streams that the catalogue knows, by the beginning of the topics that lie on them.
STREAMS = {
    "Device": "device:pbx",
    "Extensions": "device:pbx",
    "Trunk": "device:pbx",
    "Tenant": "device:other",
    "RoutePrefixes": "device:pbx",
    "RateGroup": "rate-group:g",
    "Rates": "rate-group:g",
    "Deck": "rate-group:g",
    "NumberPlan": "number-plan:imported",
    "Company": "company:acme",
    "PinGiven": "company:acme",
    "Account": "company:acme",
    "UserAccount": "user:ana",
    "GatewayAccount": "gateway:north",
}
NOTED = "select position from set_aside where name = 'catalogue' order by position"


@pytest.fixture
def installed(store: Store, database_url: str) -> Store:
    install(database_url)
    return store


def append(store: Store, stream: str, *events: object) -> None:
    """Append events to the end of a stream; those that the log refuses are left out."""
    pending, version = [], len(store.load(stream))
    for event in events:
        try:
            refuse_unfit(event)  # type: ignore[arg-type]
        except Refused:
            continue
        version += 1
        pending.append(Pending(stream, version, event, SAID))  # type: ignore[arg-type]
    store.append(pending)


def test_no_hostile_event_stops_the_submissions(installed: Store, database_url: str) -> None:
    for begins, stream in STREAMS.items():
        for topic in TOPICS:
            if topic.startswith(begins) and topic.partition(".")[0] != "RateGroupBound":
                append(installed, stream, *(event for _, event in hostile_events(topic)))
    followed = Catalogue()
    for number in range(3):
        (status,) = statuses(send(installed, record(f"k{number}"), catalogue=followed))
        assert status in ("accepted", "suspended")
    with psycopg.connect(database_url) as connection:
        noted = connection.execute(NOTED).fetchall()
        assert noted
        Catalogue().refresh(installed)
        assert connection.execute(NOTED).fetchall() == noted


def test_an_event_that_can_not_be_folded_changes_nothing_and_is_noted(
    installed: Store, database_url: str
) -> None:
    catalogue = Catalogue()
    assert statuses(send(installed, record("k1"), catalogue=catalogue)) == ["accepted"]
    wrong = DeviceChanged(
        name="pbx", time_zone="UTC", country="DE", area_code="", allowed_addresses=("nowhere",)
    )
    append(installed, "device:pbx", wrong)
    assert statuses(send(installed, record("k2"), catalogue=catalogue)) == ["accepted"]
    assert catalogue.device("pbx").country == "ES"
    assert catalogue.registration("pbx").country == "ES"
    with psycopg.connect(database_url) as connection:
        last = installed.load("device:pbx")[-1].position
        assert connection.execute(NOTED).fetchall() == [(last,)]


BAND = Band(name="night", tiers=(Tier(price="1", increment_s=-5),))
UNUSABLE = {
    "no number": Rate(name="a", prefix="34", tiers=(Tier(price="NaN"),)),
    "no unit": Rate(name="a", prefix="34", tiers=(Tier(price="1", unit_s=0),)),
    "an increment that goes back": Rate(name="a", prefix="34", bands=(BAND,)),
    "a price beyond all": Rate(name="a", prefix="34", tiers=(Tier(price="9" * 14, unit_s=1),)),
    "no decimals": Rate(name="a", prefix="34", tiers=(Tier(price="1"),), decimals=10**17),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_rate_that_can_not_be_used_suspends_its_calls_and_no_others(
    installed: Store, kind: str
) -> None:
    append(installed, "rate-group:g", RatesChanged(rates=(UNUSABLE[kind],)))
    sent = send(installed, record("k1"), record("k2", called="004930123456"))
    assert [(each.status, each.reason) for each in sent] == [
        ("suspended", "bad_rate"),
        ("accepted", ""),
    ]

"""No event is appended with a number, a date or a choice that some reader does not take."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from billing.aggregates.account import AccountRecharged, LimitsSet
from billing.aggregates.bounds import refuse_unfit
from billing.aggregates.call import CallRated
from billing.aggregates.company import CompanyOpened
from billing.aggregates.event import Envelope, Event
from billing.aggregates.events import TOPICS, decode_stored
from billing.aggregates.keeping import BackupMade
from billing.aggregates.rate_group import RatesChanged
from billing.aggregates.statement import MonthClosed
from billing.log.store import Pending, Store
from billing.projections import projections
from billing.rating.rates import Band, Rate, Tier
from billing.values import MOST_NUMBER, Refused
from tests.projections.sample import SAID, ZONE, received

FOSSILS = Path(__file__).parents[1] / "fossils"
CALL = msgspec.convert(received(1, 1_000_000), CallRated, from_attributes=True)
# Integer columns that hold no number of an event: counts of conflicts, hours and days of the week.
SMALL = {"conflicts", "hour", "weekday"}
NARROW = """
select table_name || '.' || column_name from information_schema.columns
where table_name = any(%s) and data_type in ('integer', 'smallint')
 and column_name <> all(%s)"""


def of_call(**changes: Any) -> Event:
    """A call with other fields in its record."""
    return msgspec.structs.replace(CALL, cdr=msgspec.structs.replace(CALL.cdr, **changes))


def rated(**changes: Any) -> Event:
    """A call with other fields in its rating."""
    return msgspec.structs.replace(CALL, rating=msgspec.structs.replace(CALL.rating, **changes))


def priced(**changes: Any) -> Event:
    """A price with one tier that differs, in a band."""
    tier = msgspec.structs.replace(Tier(price="1"), **changes)
    return RatesChanged(rates=(Rate(name="a", bands=(Band(name="b", tiers=(tier,)),)),))


def recharged(micros: int) -> Event:
    """A recharge of an amount."""
    return AccountRecharged(amount_micros=micros, currency="EUR", reason="cash")


UNDATED = Envelope(recorded_at=datetime(2026, 11, 1), actor="system")  # noqa: DTZ001 -- no zone
NEVER: dict[str, Event] = {
    "a large number": recharged(MOST_NUMBER + 1),
    "a large negative number": recharged(-MOST_NUMBER - 1),
    "a number that can't be printed": recharged(10**10_000),
    "a large number of a record": of_call(billed_ms=2**63),
    "a large number in a tuple of tuples": priced(unit_s=10**30),
    "a large optional number": LimitsSet(
        credit_limit_micros=10**18, low_balance_micros=None, freeze_at_limit=False
    ),
    "the year 1": of_call(started_at=datetime(1, 1, 1, tzinfo=UTC)),
    "the year 9999": msgspec.structs.replace(CALL, filed_at=datetime.max.replace(tzinfo=UTC)),
    "no time zone": of_call(answered_at=datetime(2026, 11, 1)),  # noqa: DTZ001
    "a day of the year 1": BackupMade(
        kind="calls", file="a", sha256="", size_bytes=0, events=0, first=date.min
    ),
    "another status": rated(status="paid"),
    "another class": rated(call_class="intergalactic"),
    "another direction": of_call(direction="up"),
    "another rounding": RatesChanged(rates=(Rate(name="a", rounding="never"),)),  # type: ignore[arg-type]
    "no month": MonthClosed(month="2026-13", zone=ZONE),
    "a month of the year 9999": MonthClosed(month="9999-12", zone=ZONE),
    "no zone": CompanyOpened(name="a", currency="EUR", time_zone="Mars/Olympus", payment="prepaid"),
}


@pytest.mark.parametrize("kind", NEVER)
def test_an_event_that_a_reader_does_not_take_is_refused_and_nothing_is_stored(kind: str) -> None:
    with pytest.raises(Refused, match="out of range"):
        refuse_unfit(NEVER[kind])


def test_the_store_asks_for_every_event_and_envelope(store: Store) -> None:
    good, bad = (Pending(f"company:{each}", 1, recharged(each), SAID) for each in (1, 10**18))
    for pending in (
        [good, bad],
        [Pending("company:1", 1, recharged(1), UNDATED)],
    ):
        with pytest.raises(Refused):
            store.append(pending)
    assert store.after(0, 10) == []


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_every_event_has_checks_and_its_example_is_fit(topic: str) -> None:
    refuse_unfit(decode_stored(topic, (FOSSILS / f"{topic}.json").read_bytes()).event)


def test_a_column_of_a_read_model_holds_every_number_that_an_event_may_have(
    database_url: str,
) -> None:
    tables = [table for each in projections(ZONE) for table in each.tables]
    with psycopg.connect(database_url) as connection:
        assert connection.execute(NARROW, (tables, list(SMALL))).fetchall() == []

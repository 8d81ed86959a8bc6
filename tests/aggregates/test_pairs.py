"""Pairs of records: linked, replaced by a closer one, parted by a person."""

from datetime import UTC, datetime, timedelta

import pytest

from billing.aggregates.call import (
    CASCADED,
    Call,
    CallLinked,
    CallParted,
    CallRated,
    CallReinstated,
    CallVoided,
    evolve,
    rerate,
)
from billing.aggregates.event import Event
from billing.aggregates.pairs import Record, link, part
from billing.rating.cdr import Cdr
from billing.rating.context import Rating
from billing.values import Refused

START = datetime(2026, 11, 23, 10, tzinfo=UTC)
RATED = Rating(status="rated", payer="company:acme", amount_micros=18_000, currency="EUR")


def at(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


class Log:
    """The streams of some records, each rated `seconds` after the first."""

    def __init__(self, **records: int) -> None:
        self.events: dict[str, list[Event]] = {
            stream: [
                CallRated(
                    device_id=stream,
                    filed_at=at(seconds),
                    source="native",
                    cdr=Cdr(key=stream, billed_ms=60_000),
                    rating=RATED,
                    digest=stream,
                    raw="",
                )
            ]
            for stream, seconds in records.items()
        }

    def state(self, stream: str) -> Call:
        call: Call | None = None
        for event in self.events[stream]:
            call = evolve(call, event)
        assert call
        return call

    def record(self, stream: str) -> Record:
        return Record(stream, self.state(stream))

    def link(self, charged: str, other: str) -> dict[str, list[Event]] | None:
        """Link two records, and keep the events."""
        states = {stream: self.state(stream) for stream in self.events}
        return self.keep(link(self.record(charged), self.record(other), states))

    def part(self, one: str, two: str, reason: str) -> dict[str, list[Event]] | None:
        """Part two records, and keep the events."""
        return self.keep(part(self.record(one), self.record(two), reason))

    def keep(self, found: dict[str, list[Event]] | None) -> dict[str, list[Event]] | None:
        for stream, events in (found or {}).items():
            self.events[stream] += events
        return found


def linked(seconds: int, partner: str, *, charged: bool) -> CallLinked:
    return CallLinked(filed_at=at(seconds), partner=partner, charged=charged)


def voided(stream: str, seconds: int) -> CallVoided:
    cdr = Cdr(key=stream, billed_ms=60_000)
    return CallVoided(
        device_id=stream, filed_at=at(seconds), reason=CASCADED, cdr=cdr, rating=RATED
    )


def test_one_of_two_records_is_voided_once() -> None:
    log = Log(low=0, up=4)
    assert log.link("low", "up") == {
        "low": [linked(0, "up", charged=True)],
        "up": [linked(4, "low", charged=False), voided("up", 4)],
    }
    assert log.link("low", "up") is None
    assert log.link("up", "low") is None


def test_a_closer_record_replaces_the_partner_and_a_farther_one_does_not() -> None:
    log = Log(low=0, up=4, near=1, far=9)
    log.link("low", "up")
    assert log.link("low", "far") is None
    again = CallReinstated(
        device_id="up", filed_at=at(4), cdr=Cdr(key="up", billed_ms=60_000), rating=RATED
    )
    assert log.link("low", "near") == {
        "low": [
            CallParted(filed_at=at(0), partner="up", closer="near"),
            linked(0, "near", charged=True),
        ],
        "up": [CallParted(filed_at=at(4), partner="low", closer="near"), again],
        "near": [linked(1, "low", charged=False), voided("near", 1)],
    }
    assert [log.state(each).voided for each in log.events] == [False, False, True, False]
    assert log.link("low", "up") is None


def test_a_voided_record_that_gets_a_closer_partner_stays_voided() -> None:
    log = Log(low=0, up=4, nearer=3)
    log.link("low", "up")
    log.link("nearer", "up")
    assert log.state("up").voided
    assert log.state("up").partner == "nearer"
    assert (log.state("low").voided, log.state("low").partner) == (False, "")
    kinds = [type(event).__name__ for event in log.events["up"][3:]]
    assert kinds == ["CallParted", "CallReinstated", "CallLinked", "CallVoided"]


def test_a_person_parts_a_pair_once_and_for_good() -> None:
    log = Log(low=0, up=4)
    log.link("low", "up")
    with pytest.raises(Refused, match="Enter a reason"):
        log.part("low", "up", "  ")
    found = log.part("low", "up", " two calls ")
    assert found
    assert [type(event) for event in found["low"]] == [CallParted]
    assert [type(event) for event in found["up"]] == [CallParted, CallReinstated]
    with pytest.raises(Refused, match="not paired"):
        log.part("low", "up", "again")
    assert log.link("low", "up") is None
    assert log.link("up", "low") is None
    other = Rating(status="rated", payer="company:acme", amount_micros=1, currency="EUR")
    assert rerate(log.state("up"), other)


def test_what_is_suspended_or_voided_for_another_reason_is_not_linked() -> None:
    log = Log(low=0, up=4, half=1)
    cdr = Cdr(key="half", billed_ms=60_000)
    merged = CallVoided(device_id="half", filed_at=at(1), reason="merged", cdr=cdr, rating=RATED)
    log.events["half"].append(merged)
    assert log.link("low", "half") is None
    log.link("low", "up")
    states = {"low": log.state("low")}
    late = Record("late", Log(late=0).state("late"))
    assert link(late, log.record("up"), {}) is None, "the partner is in an archived month"
    assert link(late, log.record("up"), states)

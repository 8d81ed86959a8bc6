"""Calls: received, repeated, completed, re-rated, voided."""

from datetime import UTC, datetime

import msgspec
import pytest

from billing.aggregates import call
from billing.aggregates.call import CallRated, CallRerated, CallSuspended, CallVoided, ConflictKept
from billing.aggregates.event import Event
from billing.rating.cdr import Cdr
from billing.rating.context import Rating
from tests.given import given

START = datetime(2026, 10, 31, 23, 59, tzinfo=UTC)
CDR = Cdr(key="k", started_at=START, billed_ms=60_000, caller="101", called="1", result="answered")
RATED = Rating(status="rated", payer="company:acme", amount_micros=18_000, currency="EUR")
NO_RATE = Rating(status="suspended", reason="no_rate")


def received(rating: Rating, cdr: Cdr = CDR, digest: str = "d1", raw: str = "{}") -> Event:
    kind = CallRated if rating.status == "rated" else CallSuspended
    return kind(
        device_id="pbx",
        filed_at=START,
        source="native",
        cdr=cdr,
        rating=rating,
        digest=digest,
        raw=raw,
    )


def kept(digest: str) -> ConflictKept:
    return ConflictKept(filed_at=START, source="native", cdr=CDR, digest=digest, raw="{}")


VOIDED = CallVoided(device_id="pbx", filed_at=START, reason="merged", cdr=CDR, rating=RATED)


@pytest.mark.parametrize("rating", [RATED, NO_RATE], ids=["rated", "suspended"])
def test_a_record_is_rated_or_suspended_on_arrival(rating: Rating) -> None:
    event = call.receive(
        device_id="pbx",
        filed_at=START,
        source="native",
        cdr=CDR,
        rating=rating,
        digest="d1",
        raw="{}",
        raw_encoding="",
    )
    assert event == received(rating)


def test_a_record_with_the_same_content_changes_nothing() -> None:
    given(call, received(RATED)).when(call.receive_again, received(RATED)).then()


def test_a_record_with_other_content_is_kept_once() -> None:
    other, third = received(RATED, digest="d2"), received(RATED, digest="d3")
    given(call, received(RATED)).when(call.receive_again, other).then(kept("d2"))
    given(call, received(RATED), kept("d2")).when(call.receive_again, other).then()
    given(call, received(RATED), kept("d2")).when(call.receive_again, third).then(kept("d3"))


def test_the_first_record_stays_accepted_after_a_conflict() -> None:
    given(call, received(RATED), kept("d2")).when(call.receive_again, received(RATED)).then()


def test_a_suspended_record_is_completed_under_its_own_digest() -> None:
    given(call, received(NO_RATE)).when(call.complete, CDR, RATED).then(received(RATED, raw=""))
    given(call, received(RATED)).when(call.complete, CDR, RATED).then_refused("not suspended")


def test_a_completed_record_remembers_its_conflicts() -> None:
    history = (received(NO_RATE), kept("d2"), received(RATED, raw=""))
    given(call, *history).when(call.receive_again, received(RATED, digest="d2")).then()


def test_a_record_is_voided_once_and_not_completed_afterwards() -> None:
    given(call, received(RATED)).when(call.void, "merged").then(VOIDED)
    given(call, received(RATED)).when(call.void, " ").then_refused("Enter a reason")
    given(call, received(RATED), VOIDED).when(call.void, "merged").then_refused("already voided")
    suspended = (received(NO_RATE), VOIDED)
    given(call, *suspended).when(call.complete, CDR, RATED).then_refused("not suspended")


def test_a_repeat_of_a_voided_record_is_recognised() -> None:
    given(call, received(RATED), VOIDED).when(call.receive_again, received(RATED)).then()


def test_a_stream_is_named_by_month_device_and_key() -> None:
    assert call.stream_of("pbx", START, "k") == "call:2026-10:pbx:k"
    assert call.stream_of("pbx", START.replace(year=24), "k") == "call:0024-10:pbx:k"


@pytest.mark.parametrize("key", ["x" * 201, "a\nb", "a\0b"], ids=["long", "line end", "nul"])
def test_a_key_that_no_index_can_hold_is_hashed(key: str) -> None:
    stream = call.stream_of("pbx", START, key)
    assert stream.startswith("call:2026-10:pbx:blake2b-")
    assert len(stream) < 100
    assert stream != call.stream_of("pbx", START, key + "y")


def test_flags_do_not_change_the_content_digest() -> None:
    flagged = Cdr(key="k", flags=("encoding",))
    plain = Cdr(key="k")
    other = Cdr(key="k", billed_ms=1)
    digests = [call.content_digest(cdr, msgspec.json.encode(cdr)) for cdr in (flagged, plain)]
    assert digests[0] == digests[1]
    assert call.content_digest(other, msgspec.json.encode(other)) != digests[0]


def with_amount(micros: int, *flags: str) -> Rating:
    return msgspec.structs.replace(RATED, amount_micros=micros, flags=flags)


def test_re_rating_posts_old_and_new_unless_they_are_equal() -> None:
    dearer = with_amount(21_000)
    rerated = CallRerated(device_id="pbx", filed_at=START, cdr=CDR, before=RATED, rating=dearer)
    given(call, received(RATED)).when(call.rerate, dearer).then(rerated)
    given(call, received(RATED)).when(call.rerate, RATED).then()
    given(call, received(RATED), rerated).when(call.rerate, dearer).then()
    given(call, received(RATED), rerated).when(call.void, "merged").then(
        msgspec.structs.replace(VOIDED, rating=dearer)
    )


def test_re_rating_skips_calls_that_are_voided_or_suspended_before_or_after() -> None:
    given(call, received(RATED), VOIDED).when(call.rerate, with_amount(1)).then()
    given(call, received(NO_RATE)).when(call.rerate, with_amount(1)).then()
    given(call, received(RATED)).when(call.rerate, NO_RATE).then()


def test_re_rating_keeps_the_frozen_flag_of_the_arrival() -> None:
    given(call, received(RATED)).when(call.rerate, with_amount(18_000, "frozen_account")).then()
    frozen = with_amount(18_000, "over_24h", "frozen_account")
    given(call, received(frozen)).when(call.rerate, with_amount(18_000, "over_24h")).then()


def test_recycling_rates_suspended_calls_and_records_a_changed_reason() -> None:
    other = Rating(status="suspended", reason="no_account")
    given(call, received(NO_RATE)).when(call.recycle, RATED).then(received(RATED, raw=""))
    given(call, received(NO_RATE)).when(call.recycle, NO_RATE).then()
    given(call, received(NO_RATE)).when(call.recycle, other).then(received(other, raw=""))
    given(call, received(RATED)).when(call.recycle, with_amount(1)).then()

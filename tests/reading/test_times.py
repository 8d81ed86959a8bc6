"""Local times: both clock changes, offsets, epochs, and invalid texts."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.reading.times import BadTime, Moments, moments, read_stamp
from tests.reading.bodies import cdr_of, utc

MADRID = ZoneInfo("Europe/Madrid")  # 2026-10-25 03:00 becomes 02:00, 2026-03-29 02:00 becomes 03:00
FIRST, SECOND = utc("2026-10-25 00:30:00"), utc("2026-10-25 01:30:00")


def madrid(
    start: str, end: str, seconds: int, epoch: int | None = None, answer: str = ""
) -> Moments:
    return moments(start, answer, end, zone=MADRID, duration_ms=seconds * 1000, epoch=epoch)


def test_an_end_before_its_start_shows_that_the_clock_changed_in_between() -> None:
    found = madrid("2026-10-25 02:59:56", "2026-10-25 02:00:13", 17)
    assert (found.started_at, found.ended_at) == (
        utc("2026-10-25 00:59:56"),
        utc("2026-10-25 01:00:13"),
    )
    assert (found.flags, found.problem) == ((), "")


@pytest.mark.parametrize("begun", [FIRST, SECOND])
def test_the_epoch_in_the_id_decides_a_repeated_hour(begun: datetime) -> None:
    found = madrid("2026-10-25 02:30:00", "2026-10-25 02:31:00", 60, int(begun.timestamp()) - 2)
    assert (found.started_at, found.ended_at) == (begun, begun + timedelta(minutes=1))
    assert found.flags == ()


def test_the_epoch_never_overrides_the_zone() -> None:
    wrong = int(utc("2026-10-24 18:30:00").timestamp())
    assert madrid("2026-07-01 12:00:00", "", 0, wrong).started_at == utc("2026-07-01 10:00:00")
    assert madrid("2026-10-25 02:30:00", "", 0, wrong).flags == ("ambiguous_time",)


@pytest.mark.parametrize(("seconds", "begun"), [(2400, SECOND), (6000, FIRST)])
def test_end_minus_duration_decides_a_repeated_hour(seconds: int, begun: datetime) -> None:
    found = madrid("2026-10-25 02:30:00", "2026-10-25 03:10:00", seconds)
    assert (found.started_at, found.flags) == (begun, ())


def test_an_offset_is_unambiguous() -> None:
    found = madrid("2026-10-25T02:30:00+0100", "2026-10-25T02:31:00+01:00", 60)
    assert (found.started_at, found.flags) == (SECOND, ())


def test_without_evidence_the_first_occurrence_is_taken_and_flagged() -> None:
    found = madrid("2026-10-25 02:30:00", "2026-10-25 02:31:00", 60, answer="2026-10-25 02:30:10")
    assert found.started_at == FIRST
    assert found.answered_at == FIRST + timedelta(seconds=10)
    assert found.ended_at == FIRST + timedelta(minutes=1)
    assert found.flags == ("ambiguous_time",)


def test_the_answer_is_between_start_and_end() -> None:
    found = madrid("2026-10-25 02:59:50", "2026-10-25 02:00:20", 30, answer="2026-10-25 02:00:05")
    assert found.answered_at == utc("2026-10-25 01:00:05")


def test_a_skipped_time_is_shifted_forward_and_flagged() -> None:
    found = madrid("2026-03-29 02:30:00", "2026-03-29 03:31:00", 60)
    assert found.started_at == utc("2026-03-29 01:30:00")  # 03:30 in Madrid
    assert found.flags == ("ambiguous_time",)


def test_a_call_across_the_skipped_hour_is_certain() -> None:
    found = madrid("2026-03-29 01:59:50", "2026-03-29 03:00:10", 20)
    assert (found.started_at, found.ended_at) == (
        utc("2026-03-29 00:59:50"),
        utc("2026-03-29 01:00:10"),
    )
    assert found.flags == ()


def test_an_asterisk_row_in_the_repeated_hour_is_decided_by_its_uniqueid() -> None:
    row = (
        "uniqueid=lo1-{}.7&start=2026-10-25+02:30:00&end=2026-10-25+02:31:00"
        "&duration=60&billsec=60&disposition=ANSWERED"
    )
    for begun in (FIRST, SECOND):
        cdr = cdr_of(row.format(int(begun.timestamp())), zone="Europe/Madrid")
        assert (cdr.started_at, cdr.flags) == (begun, ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T01:16:09Z", utc("2026-11-23 01:16:09")),
        ("2026/11/23 1:16:09.5 +05:30", datetime(2026, 11, 22, 19, 46, 9, 500_000, UTC)),
        ("1795396569", utc("2026-11-23 01:16:09")),
        ("1795396569.25", datetime(2026, 11, 23, 1, 16, 9, 250_000, UTC)),
        ("1795396569250", datetime(2026, 11, 23, 1, 16, 9, 250_000, UTC)),
        ("1795396569250000", datetime(2026, 11, 23, 1, 16, 9, 250_000, UTC)),
        ("", None),
        ("0", None),
        ("0000-00-00 00:00:00", None),
    ],
)
def test_stamps_are_parsed(text: str, expected: datetime | None) -> None:
    assert read_stamp(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "2026-02-30 00:00:00",
        "1989-01-01 00:00:00",
        "2101-01-01 00:00:00",
        "12",
        "9" * 30,
        "2026-01-01 25:00:00",
        "2026-01-01 10:00:00+99:00",
        "\u0662026-01-01 00:00:00",
    ],
)
def test_an_invalid_text_is_a_bad_time(text: str) -> None:
    with pytest.raises(BadTime):
        read_stamp(text)


@given(st.datetimes(datetime(1991, 1, 1), datetime(2099, 1, 1)))  # noqa: DTZ001 -- local
def test_every_local_time_is_preserved_unless_flagged(local: datetime) -> None:
    local = local.replace(microsecond=0)
    found = madrid(local.isoformat(sep=" "), "", 0)
    assert found.started_at is not None
    back = found.started_at.astimezone(MADRID).replace(tzinfo=None)
    assert back == local or found.flags == ("ambiguous_time",)

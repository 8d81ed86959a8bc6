"""Kamailio: transactions are halves, refused ones and dialogs are calls."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.reading.bodies import cdr_of, read, sample, utc

INVITE = {
    "time": 1795399098,
    "method": "INVITE",
    "from_tag": "f",
    "to_tag": "t",
    "callid": "1-2034@127.0.0.1",
    "sip_code": "200",
    "sip_reason": "OK",
    "src_user": "1001",
    "dst_user": "49301230001",
    "src_ip": "192.0.2.7",
}
DIALOG = {
    "callid": "c",
    "from_tag": "f",
    "to_tag": "t",
    "start_time": "2026-07-01 10:00:00",
    "end_time": "2026-07-01 10:00:02",
    "duration": "2.504",
    "src_user": "1001",
    "dst_user": "4930",
}


@pytest.mark.parametrize("name", ["kamailio/000.req", "kamailio/001.req"])
def test_a_captured_invite_is_the_first_half_of_a_call(name: str) -> None:
    (record,) = read(sample(name))
    cdr = record.cdr
    assert record.source == "kamailio"
    assert cdr.key == "1-2034@127.0.0.1|2034t1|2030SIPpTag011|INVITE"
    assert cdr.call_id == "1-2034@127.0.0.1"
    assert (cdr.started_at, cdr.ended_at) == (utc("2026-11-23 01:58:18"), None)
    assert (cdr.problem, cdr.flags, cdr.result) == ("unfinished", ("half:INVITE",), "")
    assert (cdr.caller, cdr.called) == ("1001", "49301230001")


@pytest.mark.parametrize("name", ["kamailio/008.req", "kamailio/009.req"])
def test_a_captured_bye_is_the_second_half(name: str) -> None:
    cdr = cdr_of(sample(name))
    assert cdr.key == "1-2150@127.0.0.1|2150t1|2148u1|BYE"
    assert cdr.started_at == cdr.ended_at == utc("2026-11-23 01:58:50")
    assert (cdr.problem, cdr.flags) == ("unfinished", ("half:BYE",))


def test_only_lines_of_acc_in_a_captured_log_are_records() -> None:
    cdrs = [each.cdr for each in read(sample("kamailio/acc-log.txt"))]
    assert [each.flags for each in cdrs] == [
        ("half:INVITE",),
        ("half:INVITE",),
        ("half:BYE",),
        (),
    ]
    assert cdrs[0].key == "1-2034@127.0.0.1|2034t1|2030SIPpTag011|INVITE"
    whole = cdrs[3]
    assert (whole.duration_ms, whole.billed_ms, whole.result) == (2504, 2504, "answered")
    assert whole.started_at == utc("2026-11-23 01:58:48") + timedelta(milliseconds=5)
    assert (whole.caller, whole.called, whole.problem) == ("1001", "49301230001", "")


@pytest.mark.parametrize(
    ("code", "result"),
    [("486", "busy"), ("487", "cancelled"), ("480", "no_answer"), ("503", "failed")],
)
def test_an_invite_that_was_refused_is_a_whole_call(code: str, result: str) -> None:
    cdr = cdr_of(json.dumps({**INVITE, "sip_code": code, "sip_reason": "No"}))
    assert (cdr.problem, cdr.flags) == ("", ())
    assert (cdr.result, cdr.billed_ms, cdr.cause) == (result, 0, f"{code} No")
    assert cdr.started_at == cdr.ended_at == utc("2026-11-23 01:58:18")
    assert cdr.source_trunk == "192.0.2.7"


def test_a_dialog_is_a_whole_call_in_utc_whatever_the_device_s_zone() -> None:
    cdr = cdr_of(json.dumps(DIALOG), zone="Europe/Madrid")
    assert (cdr.key, cdr.call_id) == ("c|f|t", "c")
    assert cdr.started_at == cdr.answered_at == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert (cdr.duration_ms, cdr.billed_ms, cdr.result) == (2504, 2504, "answered")


def test_an_unanswered_dialog_has_no_duration() -> None:
    cdr = cdr_of(json.dumps({**DIALOG, "duration": "0.000"}))
    assert (cdr.result, cdr.billed_ms, cdr.answered_at, cdr.problem) == ("no_answer", 0, None, "")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({**DIALOG, "duration": "-1"}, "bad_duration"),
        ({**DIALOG, "duration": ""}, "bad_duration"),
        ({**DIALOG, "start_time": "soon"}, "bad_time"),
        ({**INVITE, "time": None}, "bad_time"),
    ],
)
def test_broken_values_are_reported(body: dict[str, object], problem: str) -> None:
    assert cdr_of(json.dumps(body)).problem == problem

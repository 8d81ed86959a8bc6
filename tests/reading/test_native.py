"""Our own shipper's NDJSON: the fast path, and the lines that need the slow one."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rating.cdr import Cdr
from tests.reading.bodies import cdr_of, read, utc

CALL: dict[str, Any] = {
    "id": "1a",
    "start": "2026-05-04T10:00:00.250+02:00",
    "answer": "2026-05-04T10:00:05+02:00",
    "end": "2026-05-04T10:01:05+02:00",
    "duration_ms": 64750,
    "bill_ms": 60000,
    "src": "1001",
    "dst": "sip:+4930123@carrier.example;user=phone",
    "direction": "outbound",
    "disposition": "ANSWERED",
    "trunk": "carrier",
    "source_trunk": "acme",
    "account": "4711",
    "tenant": "sales",
    "call_id": "c1",
    "caller_name": "Zoë",
}
EXPECTED = Cdr(
    key="1a",
    call_id="c1",
    started_at=datetime(2026, 5, 4, 8, 0, 0, 250_000, tzinfo=UTC),
    answered_at=utc("2026-05-04 08:00:05"),
    ended_at=utc("2026-05-04 08:01:05"),
    duration_ms=64750,
    billed_ms=60000,
    caller="1001",
    called="+4930123",
    direction="outbound",
    result="answered",
    cause="ANSWERED",
    caller_name="Zoë",
    source_trunk="acme",
    target_trunk="carrier",
    pin="4711",
    tenant="sales",
)


def line(**changes: object) -> str:
    return json.dumps({**CALL, **changes}, ensure_ascii=False)


def test_a_record_is_parsed_and_its_original_kept() -> None:
    (record,) = read(line())
    assert record.cdr == EXPECTED
    assert (record.raw, record.raw_encoding, record.source) == (line(), "", "native")


def test_lines_an_array_and_one_object_over_several_lines_are_equivalent() -> None:
    one, two = line(id="1"), line(id="2")
    for body in (
        f"{one}\n{two}\n",
        f"\r\n{one}\r\n\r\n{two}",
        f"[{one},{two}]",
        f"[\n{one},\n{two}\n]",
    ):
        records = read(body)
        assert [each.cdr.key for each in records] == ["1", "2"]
        assert [each.raw for each in records] == [one, two]
    assert cdr_of(json.dumps(CALL, indent=2)) == EXPECTED


def test_a_bad_line_affects_one_record_only() -> None:
    records = read(f"{line(id='1')}\n{{broken\n[1]\n7\n{line(id='2')}\n")
    assert [each.cdr.problem for each in records] == ["", *["unreadable"] * 3, ""]
    assert records[1].raw == "{broken"
    assert len({each.cdr.key for each in records}) == 5


def test_a_bad_first_line_affects_one_record_only() -> None:
    records = read(f'{{"id": "1", "sta\n{line()}\n{line(id="2")}')
    assert [each.cdr.problem for each in records] == ["unreadable", "", ""]


def test_a_broken_array_of_lines_loses_its_broken_elements_only() -> None:
    records = read(f"[\n{line(id='1')},\n{{broken,\n{line(id='2')}\n]")
    assert [each.cdr.problem for each in records] == ["", "unreadable", ""]
    (record,) = read(f"[{line()}, {{broken]")
    assert record.cdr.problem == "unreadable"
    assert read("[]") == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"start": "yesterday"}, "bad_time"),
        ({"start": None}, "bad_time"),
        ({"start": "1989-12-31T00:00:00Z"}, "bad_time"),
        ({"start": "2101-01-01T00:00:00Z"}, "bad_time"),
        ({"end": "0001-01-01T00:00:00+10:00"}, "bad_time"),
        ({"answer": "2026-02-30T00:00:00Z"}, "bad_time"),
        ({"duration_ms": -1}, "bad_duration"),
        ({"bill_ms": -60000}, "bad_duration"),
        ({"bill_ms": 10**20}, "bad_duration"),
        ({"bill_ms": "a minute"}, "bad_duration"),
        ({"bill_ms": None}, "bad_duration"),  # answered, but without talk time
    ],
)
def test_a_problem_is_reported_and_the_key_kept(changes: dict[str, object], problem: str) -> None:
    cdr = cdr_of(line(**changes))
    assert (cdr.key, cdr.problem) == ("1a", problem)
    assert cdr.started_at is None or cdr.started_at.year == 2026


def test_types_that_are_nearly_right_take_the_slow_path() -> None:
    nearly = {"id": 12, "duration_ms": "64750", "bill_ms": 60000.0, "direction": "OUT", "end": ""}
    assert cdr_of(line(**nearly)) == msgspec.structs.replace(EXPECTED, key="12", ended_at=None)


def test_a_time_without_offset_is_in_the_profile_s_zone() -> None:
    cdr = cdr_of(line(start="2026-05-04T10:00:00"), zone="Europe/Madrid")
    assert cdr.started_at == utc("2026-05-04 08:00:00")


@pytest.mark.parametrize(
    ("changes", "result", "cause"),
    [
        ({"disposition": "answered", "bill_ms": 0}, "no_answer", "answered"),
        ({"disposition": "NO ANSWER"}, "no_answer", "NO ANSWER"),
        ({"disposition": "Busy", "sip_code": 486, "bill_ms": 0}, "busy", "486 Busy"),
        ({"disposition": "", "sip_code": 487, "bill_ms": 0}, "cancelled", "487"),
        ({"disposition": "", "sip_code": "200"}, "answered", "200"),
        ({"disposition": "", "sip_code": 503, "bill_ms": 0}, "failed", "503"),
        ({"disposition": "", "q850": 17, "bill_ms": 0}, "busy", "Q.850 17"),
        ({"disposition": "", "q850": 16}, "answered", "Q.850 16"),
        ({"disposition": "VOICEMAIL"}, "answered", "VOICEMAIL"),
        ({"disposition": "", "bill_ms": 0}, "no_answer", ""),
    ],
)
def test_answered_requires_the_sender_s_word_and_talk_time(
    changes: dict[str, object], result: str, cause: str
) -> None:
    cdr = cdr_of(line(**changes))
    assert (cdr.result, cdr.cause) == (result, cause)


def test_records_without_an_id_are_identified_by_content_and_ordinal() -> None:
    nameless = json.dumps({name: each for name, each in CALL.items() if name != "id"})
    first, second = (each.cdr for each in read(f"{nameless}\n{nameless}"))
    assert first.key.startswith("sha256:")
    assert first.key[:-2] == second.key[:-2]
    assert (first.key[-2:], second.key[-2:]) == (":1", ":2")
    assert cdr_of(nameless) == first  # a repeat is the same record


def test_bytes_that_are_not_utf_8_use_the_fallback_encoding_and_are_kept() -> None:
    good, bad = line(id="1").encode(), line(id="2").encode().replace("ë".encode(), b"\xeb")
    one, two = read(good + b"\n" + bad)
    assert (one.cdr.flags, one.raw_encoding) == ((), "")
    assert (two.cdr.caller_name, two.cdr.flags) == ("Zoë", ("encoding",))
    assert two.raw_encoding == "base64"
    odd = cdr_of(bad, fallback_encoding="koi8-r")
    assert odd.caller_name == "Zo\u041a"


@pytest.mark.parametrize("encoding", ["no such thing", "", "a\0b", "hex", "idna", "undefined"])
def test_an_encoding_that_reads_no_text_is_taken_for_latin_1(encoding: str) -> None:
    record = line(id="2").encode().replace("ë".encode(), b"\xeb")
    form = b"start=2026-05-04+10%3A00&src=1001&dst=2&caller_name=Zo%EB"
    for body in (record, form):
        assert cdr_of(body, fallback_encoding=encoding).caller_name == "Zoë"


def test_half_a_surrogate_pair_does_not_reach_the_record() -> None:
    cdr = cdr_of('{"id": "1", "start": "x", "dst": "1", "caller_name": "\\ud800!"}')
    assert cdr.caller_name == "?!"


NATIVE_LINE = st.builds(line, id=st.text(), src=st.text(), bill_ms=st.integers()).map(str.encode)
ANY_LINE = st.one_of(
    st.binary(), st.text().map(lambda text: text.encode("utf-8", "surrogatepass")), NATIVE_LINE
).map(lambda content: content.replace(b"\n", b" "))


@given(st.lists(ANY_LINE))
def test_every_line_that_is_not_blank_yields_exactly_one_record(lines: list[bytes]) -> None:
    lines = [line().encode(), *lines]
    records = read(b"\n".join(lines))
    assert len(records) == sum(bool(each.strip()) for each in lines)
    assert all(each.cdr.key for each in records)
    msgspec.json.encode(records)

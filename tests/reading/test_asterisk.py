"""Asterisk: Master.csv in all its widths, JSON lines, the form of func_curl, AMI events."""

from collections import Counter

import msgspec
import pytest

from billing.rating.cdr import Cdr
from billing.reading.asterisk import caller_id, peer_of
from tests.reading.bodies import cdr_of, read, sample, utc

BASE = (
    '"4711","1002","49301","from-acme","""Zoë"" <1002>","PJSIP/acme-00000000",'
    '"PJSIP/carrier-00000001","Dial","PJSIP/49301@carrier,30","2026-11-23 01:16:09",'
    '"2026-11-23 01:16:09","2026-11-23 01:16:12",2,2,"ANSWERED","DOCUMENTATION"'
)
CONTENT = "PJSIP/carrier-00000001|2026-11-23 01:16:09|2026-11-23 01:16:12|Dial|ANSWERED"
FULL = Cdr(
    key="lo1-1795396569.0|0",
    call_id="lo1-1795396569.0",
    started_at=utc("2026-11-23 01:16:09"),
    answered_at=utc("2026-11-23 01:16:09"),
    ended_at=utc("2026-11-23 01:16:12"),
    duration_ms=2000,
    billed_ms=2000,
    caller="1002",
    called="49301",
    result="answered",
    cause="ANSWERED",
    caller_name="Zoë",
    source_trunk="acme",
    target_trunk="carrier",
    pin="4711",
    tenant="from-acme",
)


def test_captured_csv_and_json_lines_of_the_same_calls_give_the_same_records() -> None:
    rows, lines = read(sample("asterisk/Master.csv")), read(sample("asterisk/master.jsonl"))
    assert len(rows) == len(lines) == 11
    assert [each.cdr for each in rows] == [
        msgspec.structs.replace(each.cdr, flags=()) for each in lines
    ]
    assert [each.cdr.flags for each in lines] == [(), (), ("repaired",), *[()] * 8]
    assert {each.source for each in (*rows, *lines)} == {"asterisk"}
    assert [each.cdr.result for each in rows] == (
        ["answered"] * 3 + ["busy"] * 3 + ["answered"] + ["no_answer"] * 2 + ["failed", "answered"]
    )
    assert [each.cdr.key.partition("|")[2] for each in rows] == (
        ["0", "2", "4", "6", "8", "11", "14", "15", "18", "19", "9"]
    )
    assert [each.cdr.billed_ms for each in rows] == (
        [2000, 3000, 4000, 0, 0, 0, 1000, 0, 0, 0, 40000]
    )


def test_the_invalid_line_that_asterisk_wrote_is_repaired_and_kept() -> None:
    content = sample("asterisk/master.jsonl")
    record = read(content)[2]
    assert record.raw == content.decode().split("\n")[2]
    assert record.cdr.caller_name == 'Quote \\"x\\" Joe'
    assert record.cdr.key == "lo1-1795396576.4|4"


def test_the_captured_lab_file_of_18_columns() -> None:
    records = read(sample("asterisk/lab-Master.csv"))
    cdrs = [each.cdr for each in records]
    assert len(cdrs) == 105
    assert len({each.key for each in cdrs}) == 105
    assert not any(each.problem or each.flags for each in cdrs)
    results = Counter((each.cause, each.result) for each in cdrs)
    assert results["ANSWERED", "no_answer"] == sum(
        each.cause == "ANSWERED" and not each.billed_ms for each in cdrs
    )
    busy = next(each for each in cdrs if each.key.startswith("1429025256.1|"))
    assert (busy.result, busy.billed_ms, busy.target_trunk) == ("busy", 27000, "100")
    assert cdrs[0].key == "1427211880.0||2015-03-24 15:44:40|2015-03-24 15:44:43|Hangup|ANSWERED"


@pytest.mark.parametrize(
    ("name", "uniqueid", "billed_ms", "caller"),
    [
        ("asterisk/http-000.req", "lo1-1795396569.0", 2000, "Zoë Björk"),
        ("asterisk/http-001.req", "lo1-1795396572.2", 3000, "Andr\ufffd, Latin1"),
        ("asterisk/http-002.req", "lo1-1795396576.4", 4000, 'Quote \\"x\\" Joe'),
    ],
)
def test_captured_forms_of_func_curl(name: str, uniqueid: str, billed_ms: int, caller: str) -> None:
    (record,) = read(sample(name))
    assert record.source == "asterisk"
    assert record.cdr.key.startswith(f"{uniqueid}||2026-11-23 01:16:")
    assert (record.cdr.billed_ms, record.cdr.caller_name) == (billed_ms, caller)
    assert record.cdr.result == "answered"


def test_captured_manager_events_have_the_keys_of_a_csv_without_sequence() -> None:
    cdrs = [each.cdr for each in read(sample("asterisk/ami-cdr-events.txt"))]
    assert [each.call_id for each in cdrs] == [
        "lo1-1795396569.0",
        "lo1-1795396572.2",
        "lo1-1795396576.4",
    ]
    assert cdrs[0].key == f"lo1-1795396569.0|{CONTENT}"
    assert [each.target_trunk for each in cdrs] == ["carrier"] * 3
    assert cdrs[0].started_at == utc("2026-11-23 01:16:09")


@pytest.mark.parametrize(
    ("tail", "key"),
    [
        ("", "sha256"),
        (',"1795396569.0"', f"1795396569.0|{CONTENT}"),
        (',"a note, not an id"', "sha256"),
        (',"1795396569.0","note"', f"1795396569.0|{CONTENT}"),
        (',"peer","lo1-1795396569.0",0', "sha256"),
        (',"lo1-1795396569.0","peer","lo1-1795396569.0",0', "lo1-1795396569.0|0"),
        (',"lo1-1795396569.0","note","peer","lo1-1795396569.0",0', "lo1-1795396569.0|0"),
    ],
)
def test_16_to_21_columns_are_recognised(tail: str, key: str) -> None:
    cdr = cdr_of(BASE + tail)
    assert cdr.key.startswith(key)
    same = {"key": FULL.key, "call_id": FULL.call_id}
    assert msgspec.structs.replace(cdr, **same) == FULL


def test_the_19_columns_of_cdr_custom_begin_with_the_caller_id() -> None:
    row = (
        '"""Zoë"" <1002>","1002","49301","from-acme","PJSIP/acme-00000000",'
        '"PJSIP/carrier-00000001","Dial","x","2026-11-23 01:16:09","2026-11-23 01:16:09",'
        '"2026-11-23 01:16:12","2","2","ANSWERED","DOCUMENTATION","4711","lo1-1795396569.0","","0"'
    )
    assert cdr_of(row) == FULL


def test_bytes_of_another_encoding_in_a_row_are_flagged() -> None:
    good = f"{BASE},1795396569.0,\n".encode()
    one, two = read(good + good.replace("Zoë".encode(), b"Zo\xeb"))
    assert (one.cdr.flags, two.cdr.flags) == ((), ("encoding",))
    assert (two.cdr.caller_name, two.raw_encoding) == ("Zoë", "base64")
    assert one.cdr.key == two.cdr.key


def test_a_form_with_bytes_of_another_encoding() -> None:
    body = "uniqueid=1.1&clid=%22Andr%E9%22+%3C1%3E&start=2026-01-01+10:00:00&disposition=BUSY"
    cdr = cdr_of(body)
    assert (cdr.caller_name, cdr.flags, cdr.result) == ("André", ("encoding",), "busy")


@pytest.mark.parametrize(
    ("disposition", "billsec", "result"),
    [
        ("ANSWERED", 3, "answered"),
        ("ANSWERED", 0, "no_answer"),
        ("NO ANSWER", 60, "no_answer"),
        ("BUSY", 7, "busy"),
        ("CONGESTION", 0, "failed"),
        ("CANCEL", 0, "cancelled"),
    ],
)
def test_a_call_is_answered_if_asterisk_says_so_and_there_is_talk_time(
    disposition: str, billsec: int, result: str
) -> None:
    row = BASE.replace(',2,2,"ANSWERED"', f',9,{billsec},"{disposition}"')
    cdr = cdr_of(row)
    assert (cdr.result, cdr.billed_ms, cdr.cause) == (result, billsec * 1000, disposition)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (",2,2,", ",2,-2,", "bad_duration"),
        (",2,2,", ",x,2,", "bad_duration"),
        (",2,2,", ",2,,", "bad_duration"),
        ('"2026-11-23 01:16:12"', '"2026-13-23 01:16:12"', "bad_time"),
        ('"2026-11-23 01:16:09",', '"1970-01-01 00:00:00",', "bad_time"),
        (",2,2,", ",99,2,", ""),  # not end minus start, but its own counter
    ],
)
def test_broken_columns_are_reported(old: str, new: str, problem: str) -> None:
    assert cdr_of(BASE.replace(old, new)).problem == problem


@pytest.mark.parametrize(
    ("channel", "peer"),
    [
        ("PJSIP/carrier-00000001", "carrier"),
        ("PJSIP/acme-0000", "acme"),
        ("SIP/my-trunk-0000000a", "my-trunk"),
        ("SIP/localhost:5020-00000001", "localhost:5020"),
        ("DAHDI/i1/5551234-3", "i1"),
        ("Local/1001@from-queue-00000012;1", ""),
        ("", ""),
    ],
)
def test_the_peer_of_a_channel_is_the_trunk(channel: str, peer: str) -> None:
    assert peer_of(channel) == peer


@pytest.mark.parametrize(
    ("clid", "expected"),
    [
        ('"Alice" <1001>', ("Alice", "1001")),
        ('"" <1001>', ("", "1001")),
        ("1001", ("", "1001")),
        ("apptel", ("apptel", "")),
        ("Bob <+3491>", ("Bob", "+3491")),
        ('"A, \\"B\\" <x>" <1>', ('A, "B" <x>', "1")),
        ("<<<", ("<<<", "")),
    ],
)
def test_a_caller_id_is_a_name_and_a_number(clid: str, expected: tuple[str, str]) -> None:
    assert caller_id(clid) == expected

"""CSV of others than Asterisk: by header, by profile, FreeSWITCH's own."""

import pytest

from tests.reading.bodies import cdr_of, read, utc

ROW = "7,2026-07-01 12:00:00,00:01:02,62,1001,4930,ANSWERED"
NAMES = ("id", "start", "duration", "billsec", "src", "dst", "result")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_header_names_the_columns_and_is_not_a_record(delimiter: str) -> None:
    header = "ID,Start Time,Duration,Bill-Sec,Caller,Called,Status"
    body = "\n".join((header, ROW, header, ROW.replace("7,", "8,", 1))).replace(",", delimiter)
    one, two = read(body, zone="Europe/Madrid")
    assert (one.cdr.key, two.cdr.key) == ("7", "8")
    assert one.source == "csv"
    assert one.cdr.started_at == utc("2026-07-01 10:00:00")
    assert (one.cdr.duration_ms, one.cdr.billed_ms) == (62000, 62000)
    assert (one.cdr.caller, one.cdr.called, one.cdr.result) == ("1001", "4930", "answered")


def test_without_a_header_the_profile_names_them() -> None:
    cdr = cdr_of(ROW, columns=NAMES)
    assert (cdr.key, cdr.called, cdr.billed_ms) == ("7", "4930", 62000)


def test_without_either_a_row_is_kept_as_unreadable() -> None:
    one, two = read(f"{ROW}\n{ROW}")
    assert one.cdr.problem == two.cdr.problem == "unreadable"
    assert one.cdr.key != two.cdr.key
    assert one.raw == ROW


def test_rows_that_do_not_fit_affect_themselves_only() -> None:
    records = read(f'{ROW}\nx,"y\n{ROW},more,than,names\n{ROW}', columns=NAMES)
    assert [each.cdr.problem for each in records] == ["", "unreadable", "unreadable", ""]


def test_a_header_with_asterisks_names_is_asterisks() -> None:
    (record,) = read(
        "uniqueid,sequence,calldate,src,dst,billsec,disposition\n"
        "1795396569.0,3,2026-11-23 01:16:09,1,2,9,ANSWERED"
    )
    assert (record.source, record.cdr.key) == ("asterisk", "1795396569.0|3")


def test_freeswitchs_csv_escapes_quotes_with_backslashes() -> None:
    cdr = cdr_of(
        '"Quote \\"x\\", Joe","1001","4930","acme","2026-11-23 01:47:42","2026-11-23 01:47:43",'
        '"2026-11-23 01:47:46","4","3","NORMAL_CLEARING","98d8ac49-6c21-4555-820d-f80802878321",'
        '"","acme","PCMU","PCMU"'
    )
    assert (cdr.key, cdr.caller_name) == (
        "98d8ac49-6c21-4555-820d-f80802878321",
        'Quote "x", Joe',
    )
    assert (cdr.billed_ms, cdr.result, cdr.pin, cdr.tenant) == (3000, "answered", "acme", "acme")


@pytest.mark.parametrize("row", ["1,2026-07-01 12:00:00,62,ANSWERED", "1,2026-07-01 12:00:00,62,"])
def test_a_call_without_any_talk_time_is_not_free(row: str) -> None:
    (record,) = read(f"id,start,duration,disposition\n{row}")
    assert record.cdr.problem == "bad_duration"


def test_an_unanswered_call_needs_no_talk_time() -> None:
    cdr = cdr_of("id,start,duration,disposition\n1,2026-07-01 12:00:00,20,NO ANSWER")
    assert (cdr.problem, cdr.result) == ("", "no_answer")

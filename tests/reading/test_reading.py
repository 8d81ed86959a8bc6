"""Whole bodies and files: compression, refusals, streams, and bytes of any kind."""

import gzip
import io
import tracemalloc
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rating.cdr import CallRecord
from billing.reading import (
    SourceProfile,
    Unacceptable,
    json_body,
    json_repair,
    profile_of,
    read_file,
)
from billing.reading.delivery import Delivery
from tests.reading.bodies import RECEIVED, read, sample

LINE = (
    b'{"id":"%d","start":"2026-05-04T10:00:00Z","duration_ms":1,"bill_ms":1,"src":"1","dst":"2"}\n'
)
LINES = b"".join(LINE % number for number in range(30_000))


def stream(content: bytes) -> Iterator[CallRecord]:
    return read_file(io.BytesIO(content), profile=SourceProfile(), received_at=RECEIVED)


def refusal(body: bytes, encoding: str = "") -> int:
    with pytest.raises(Unacceptable) as refused:
        read(body, encoding=encoding)
    return refused.value.status


def test_gzip_is_detected_by_header_or_magic() -> None:
    packed = gzip.compress(LINE % 1)
    for encoding in ("gzip", "X-GZIP", ""):
        assert len(read(packed, encoding=encoding)) == 1
    assert len(read(LINE % 1, encoding="gzip")) == 1  # a proxy decompressed it
    assert len(read(zlib.compress(LINE % 1), encoding="deflate")) == 1
    assert len(read(packed + gzip.compress(LINE % 2), encoding="gzip")) == 2
    (record,) = read(packed, encoding="gzip")
    assert record.raw == (LINE % 1).decode().rstrip()


def test_an_overlong_record_is_refused_or_cut_and_the_others_are_accepted() -> None:
    assert refusal(b"\0" * (2 << 20)) == 413
    assert refusal(b'{"id":"' + b"x" * (1 << 20) + b'"}') == 413
    long = LINE.replace(b'"src":"1"', b'"src":"%s"' % (b"1" * (1 << 20)))
    for records in (read(LINE % 1 + long % 2 + LINE % 3), list(stream(LINES + long % 2))):
        (cut,) = [record for record in records if record.cdr.flags]
        assert (cut.cdr.key, cut.cdr.problem, cut.cdr.flags) == ("2", "unreadable", ("cut",))
        assert len(cut.raw) == 64 * 1024
        assert records[0].cdr.problem == ""


def test_a_binary_line_takes_little_more_space_than_it_had() -> None:
    records = read(LINE % 1 + b"\0" * 9_000 + b"\n" + LINE % 2)
    assert [record.cdr.problem for record in records] == ["", "unreadable", ""]
    assert all(len(msgspec.json.encode(record)) < 13_000 for record in records)


def test_bodies_that_are_refused() -> None:
    assert refusal(b"") == 400
    assert refusal(b" \r\n") == 400
    assert refusal(gzip.compress(b"")) == 400
    assert refusal(gzip.compress(LINE)[:-9], "gzip") == 400
    assert refusal(b"\x1f\x8bnot gzip") == 400
    assert refusal(b"{\n" * 500_001) == 413
    assert refusal(LINE, "br") == 415
    assert refusal(LINE, "gzip, gzip") == 415


@pytest.mark.parametrize(
    "body",
    [
        LINE % 1 + LINE % 2 + LINE % 3,
        b"[" + b",".join((LINE % 1, LINE % 2, LINE % 3)) + b"]",
        b'[\n"broken,\n{},\n{}\n]',
        b"{\n{\n{\n",
        LINE % 1 + b"\xff\n\xff\n",
        b"a,b\n1,2\n3,4\n",
        b"Event: Cdr\n\n" * 3,
    ],
)
def test_a_body_of_more_records_than_it_may_have_is_refused(body: bytes) -> None:
    assert len(read(body, most=3)) == 3
    with pytest.raises(Unacceptable, match="At most 2 records") as refused:
        read(body, most=2)
    assert refused.value.status == 413


def test_what_is_over_the_limit_is_not_even_parsed() -> None:
    found = json_body.read(b"{\n" * 500_000, Delivery(SourceProfile(), RECEIVED))
    assert [record.cdr.problem for record in islice(found, 2)] == ["unreadable"] * 2


def test_a_gzip_bomb_is_refused_without_exploding() -> None:
    bomb = gzip.compress(b" " * (65 * 1024 * 1024), compresslevel=9)
    assert len(bomb) < 100_000
    assert refusal(bomb, "gzip") == 413
    packer = zlib.compressobj(9, wbits=31)
    huge = b"".join([packer.compress(bytes(1 << 24)) for _ in range(40)]) + packer.flush()
    tracemalloc.start()
    assert refusal(huge, "gzip") == 413  # 640 MiB
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200 * 1024 * 1024


def test_a_byte_order_mark_is_not_content() -> None:
    assert read(b"\xef\xbb\xbf" + LINE % 1)[0].cdr.key == "1"
    assert next(stream(b"\xef\xbb\xbf" + LINE % 1 + LINE % 2)).cdr.key == "1"


class Counting(io.BytesIO):
    """A file that counts the bytes read."""

    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        self.taken += len(content)
        return content


def test_files_of_lines_are_streamed() -> None:
    file = Counting(LINES)
    records = read_file(cast("BinaryIO", file), profile=SourceProfile(), received_at=RECEIVED)
    assert next(records).cdr.key == "0"
    assert file.taken < len(LINES)
    assert sum(1 for _ in records) == 29_999


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_gives_the_records_of_its_body(packed: bool) -> None:
    for content in (LINES, LINES.rstrip(), LINES.replace(b"\n", b"\r\n")):
        keys = [each.cdr.key for each in stream(gzip.compress(content) if packed else content)]
        assert keys == [str(number) for number in range(30_000)]


@pytest.mark.parametrize(
    "name",
    [
        "asterisk/Master.csv",
        "asterisk/lab-Master.csv",
        "asterisk/master.jsonl",
        "asterisk/ami-cdr-events.txt",
        "asterisk/http-000.req",
        "freeswitch/json-plain-aleg.req",
        "freeswitch/json-formencoded.req",
        "freeswitch/xml-formencoded.req",
        "kamailio/acc-log.txt",
    ],
)
def test_every_format_is_recognised_in_a_file_too(name: str) -> None:
    body = sample(name)
    records = read(body)
    assert records
    assert list(stream(body)) == records
    assert list(stream(gzip.compress(body))) == records


def test_broken_files_are_refused() -> None:
    assert list(stream(b"")) == []
    with pytest.raises(Unacceptable):
        list(stream(gzip.compress(LINES)[:-20]))


def test_a_profile_is_built_from_a_registration() -> None:
    class Registered:
        time_zone = "Europe/Madrid"
        format = "csv"
        columns = ("id",)
        fallback_encoding = "latin-1"

    assert profile_of(Registered()) == SourceProfile(
        zone="Europe/Madrid", format="csv", columns=("id",), fallback_encoding="latin-1"
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'{"a": "CORP\x", "b": "c\nd"}', {"a": "CORP\\x", "b": "c\nd"}),
        (r'{"a": "\"Q \\\\"x\\\\" J\" <1>"}', {"a": r'"Q \\\"x\\\" J" <1>'}),
        (
            r'{"a": ""Alice" <1>", "b": ["", {"c": "x"}]}',
            {"a": '"Alice" <1>', "b": ["", {"c": "x"}]},
        ),
        (r'{"a": "ends \", "b": ""q" \z"}', {"a": "ends \\", "b": '"q" \\z'}),
    ],
)
def test_json_errors_of_known_switches_are_repaired(text: str, value: object) -> None:
    assert json_repair.parse(text) == (value, True)


STARTS = [b"", b"{", b"[", b"[{", b"<", b"<?xml", b"cdr=", b"cdr=%7B", b"a=b&c=", b'"a","b"\n']
STARTS += [b"Event: Cdr\n", b"ACC: x: timestamp=", b"id,start,end,src\n", b"\xff\xfe", b"\x1f\x8b"]
STARTS += [b'{"variables":{"uuid":"1"},"callflow":', b'{"callid":"1","method":', LINE % 7]
PIECES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [b'"', b"\\", b"\n", b",", b"}", b"]", b"%22", b"=", b"&", b"\0", b"<a:b>"]
        ),
        st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")),
    )
).map(b"".join)


@given(st.sampled_from(STARTS), PIECES, st.sampled_from(["", "gzip", "deflate", "?"]))
def test_any_bytes_are_parsed_or_refused(start: bytes, rest: bytes, encoding: str) -> None:
    try:
        records = read(start + rest, encoding=encoding)
    except Unacceptable:
        return
    assert all(each.cdr.key for each in records)
    msgspec.json.encode(records)


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 200_000, b"<a>" * 200_000])
def test_deep_nesting_is_not_a_way_to_attack(body: bytes) -> None:
    assert [each.cdr.problem for each in read(body)] == ["unreadable"]


def test_huge_integers_are_not_a_way_to_attack() -> None:
    (record,) = read(b'{"id": ' + b"9" * 10_000 + b', "start": 1, "dst": "1"}')
    assert record.cdr.problem

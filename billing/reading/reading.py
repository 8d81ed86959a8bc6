"""Entry points of the parser: detect the format of a body or a file, and pass it to its reader."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import BinaryIO
from urllib.parse import parse_qsl

import msgspec

from billing.rating.cdr import CallRecord, Cdr
from billing.reading import (
    ami,
    freeswitch_xml,
    json_body,
    json_repair,
    kamailio,
    native,
    objects,
    parameter,
)
from billing.reading.delivery import Delivery, RecordText
from billing.reading.model import SourceProfile, Unacceptable
from billing.reading.sniff import HEAD_BYTES, Kind, kind_of
from billing.reading.tabular import Table
from billing.reading.unpack import BYTE_ORDER_MARK, GZIP_MAGIC, MOST_BYTES, inflate, unpack, whole

BLOCK_BYTES = 1024 * 1024  # block of a file, read at a time
LONGEST_RECORD = (
    1024 * 1024
)  # characters; the longest that a phone system was seen to send is 22 KB
KEPT_OF_LONGER = 64 * 1024  # bytes; divisible by 4, so that base64 stays valid


def read_body(
    body: bytes,
    *,
    content_encoding: str,
    profile: SourceProfile,
    received_at: datetime,
    most_records: int,
) -> list[CallRecord]:
    """Parse the body of a request; return its records in order. Raises only Unacceptable.

    Of a body with more than `most_records` no more are parsed: it is refused with 413.
    """
    body = unpack(body, content_encoding)
    found = _read_whole(body, Delivery(profile, received_at))
    records = list(itertools.islice(found, most_records + 1))
    if len(records) > most_records:
        raise Unacceptable(413, f"At most {most_records} records in one body.")
    if len(records) == 1 and len(records[0].raw) > LONGEST_RECORD:
        raise Unacceptable(413, "A record may hold 1 MiB.")
    return [_bounded(record) for record in records]


def _bounded(record: CallRecord) -> CallRecord:
    """Return the record; an overlong one is cut and marked, so that the others are accepted."""
    if len(record.raw) <= LONGEST_RECORD:
        return record
    cdr = Cdr(key=record.cdr.key, problem="unreadable", flags=(*record.cdr.flags, "cut"))
    return msgspec.structs.replace(record, cdr=cdr, raw=record.raw[:KEPT_OF_LONGER])


def read_file(
    stream: BinaryIO, *, profile: SourceProfile, received_at: datetime
) -> Iterator[CallRecord]:
    """Yield the records of a file, gzipped or not. Formats of lines are streamed, at any size.

    Raises Unacceptable for broken gzip, XML with entities, and other formats larger than 64 MiB.
    """
    delivery = Delivery(profile, received_at)
    chunks: Iterator[bytes] = iter(partial(stream.read, BLOCK_BYTES), b"")
    first = next(chunks, b"")
    chunks = itertools.chain([first], chunks)
    if first.startswith(GZIP_MAGIC):
        chunks = inflate(chunks)
        first = next(chunks, b"")
        chunks = itertools.chain([first], chunks)
    head = first[:HEAD_BYTES].removeprefix(BYTE_ORDER_MARK)
    reader = _line_reader(kind_of(head), head, delivery)
    if reader is None:
        body = whole(chunks).removeprefix(BYTE_ORDER_MARK)
        yield from map(_bounded, _read_whole(body, delivery))
        return
    for block in _whole_lines(chunks):
        yield from map(_bounded, reader(block))


def _line_reader(
    kind: Kind, head: bytes, delivery: Delivery
) -> Callable[[bytes], Iterable[CallRecord]] | None:
    """Return the reader for blocks of lines, or None if the format does not consist of lines."""
    match kind:
        case "csv":
            return Table(delivery).read_block
        case "kamailio_log":
            return partial(_read_kamailio_log, delivery=delivery)
        case "json" if json_body.is_lines(head):
            return partial(native.read_block, delivery=delivery)
        case _:
            return None


def _whole_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Regroup the chunks to end at line ends, without a byte order mark."""
    rest = b""
    for number, chunk in enumerate(chunks):
        piece = chunk.removeprefix(BYTE_ORDER_MARK) if number == 0 else chunk
        cut = piece.rfind(b"\n") + 1
        if cut:
            yield rest + piece[:cut]
            rest = piece[cut:]
        else:
            rest += piece
        if len(rest) > MOST_BYTES:
            raise Unacceptable(413, "A line of this file is over 64 MiB.")
    if rest:
        yield rest


def _read_whole(body: bytes, delivery: Delivery) -> Iterable[CallRecord]:
    return _READERS[kind_of(body[:HEAD_BYTES])](body, delivery)


def _read_xml(body: bytes, delivery: Delivery) -> Iterator[CallRecord]:
    line = delivery.decode(body.strip())
    yield freeswitch_xml.read(line.text, line, delivery)


def _read_parameter(body: bytes, delivery: Delivery) -> Iterator[CallRecord]:
    """Parse the record in `cdr=`; its original form is the whole body."""
    outer = delivery.decode(body.strip())
    inner = delivery.decode(parameter.content_of(body.strip()))
    line = RecordText(inner.text, outer.raw, outer.raw_encoding, inner.flags or outer.flags)
    is_xml = inner.text.lstrip().startswith("<")
    # No "repaired" flag: the %-encoding of the whole leaves quotes in values unescaped, so
    # repairing them only undoes the transport.
    value = None if is_xml else json_repair.parse(inner.text)[0]
    if is_xml:
        yield freeswitch_xml.read(inner.text.strip(), line, delivery)
    elif isinstance(value, dict):
        yield objects.read_object(value, line, delivery)
    else:
        yield delivery.unreadable(line)


def _read_form(body: bytes, delivery: Delivery) -> Iterator[CallRecord]:
    line = delivery.decode(body.strip())
    read = partial(parse_qsl, line.text, keep_blank_values=True)
    try:
        pairs = read(errors="strict")
    except UnicodeDecodeError:
        pairs = read(encoding=delivery.fallback_encoding, errors="replace")
        line = RecordText(line.text, line.raw, line.raw_encoding, ("encoding",))
    fields = {name.strip().lower(): value.strip() for name, value in pairs}
    yield objects.read_fields(fields, line, delivery)


def _read_kamailio_log(block: bytes, delivery: Delivery) -> Iterator[CallRecord]:
    """Yield a record for each line of acc; other lines of the log are skipped."""
    for content in block.split(b"\n"):
        if kamailio.LOG_LINE.search(content):
            yield kamailio.read_log_line(delivery.decode(content.rstrip(b"\r")), delivery)


def _read_csv(body: bytes, delivery: Delivery) -> Iterator[CallRecord]:
    return Table(delivery).read_block(body)


_READERS: dict[Kind, Callable[[bytes, Delivery], Iterable[CallRecord]]] = {
    "parameter": _read_parameter,
    "xml": _read_xml,
    "json": json_body.read,
    "ami": ami.read,
    "kamailio_log": _read_kamailio_log,
    "form": _read_form,
    "csv": _read_csv,
}

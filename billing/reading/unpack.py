"""Decompresses what was received, within a limit."""

import zlib
from collections.abc import Iterable, Iterator

from billing.reading.model import Unacceptable

MOST_BYTES = 64 * 1024 * 1024  # of one body, decompressed
MOST_LINES = 500_000  # of one body; 500,000 records of a realistic length are over 64 MiB
GZIP_MAGIC = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_GZIP, _DEFLATE = 31, 15  # zlib's window bits, which also select the container
_STEP_BYTES = 16 * 1024  # compressed bytes per step: they inflate to at most 16 MiB
_KNOWN = ("", "identity", "gzip", "x-gzip", "deflate")


def unpack(body: bytes, content_encoding: str) -> bytes:
    """Decompress a body.

    Raises Unacceptable: 400 if empty or broken, 413 too large, 415 unknown.
    """
    encoding = content_encoding.strip().lower()
    if encoding not in _KNOWN:
        raise Unacceptable(415, f"The content encoding {content_encoding[:40]!r} is not known.")
    # The magic bytes decide: some proxies decompress and keep the header.
    if body.startswith(GZIP_MAGIC):
        body = whole(inflate([body]))
    elif encoding == "deflate":
        body = whole(inflate([body], _DEFLATE))
    else:
        body = whole([body])
    body = body.removeprefix(BYTE_ORDER_MARK)
    if not body.strip():
        raise Unacceptable(400, "The body is empty.")
    if body.count(b"\n") > MOST_LINES:
        raise Unacceptable(413, f"The body has more than {MOST_LINES} lines.")
    return body


def whole(parts: Iterable[bytes]) -> bytes:
    """Join the parts. Raises Unacceptable (413) as soon as they exceed 64 MiB."""
    taken, size = [], 0
    for part in parts:
        size += len(part)
        if size > MOST_BYTES:
            raise Unacceptable(413, "This is over 64 MiB (decompressed).")
        taken.append(part)
    return b"".join(taken)


def inflate(chunks: Iterable[bytes], window_bits: int = _GZIP) -> Iterator[bytes]:
    """Yield the decompressed bytes of gzip, which may have several members, in small parts."""
    member = None
    try:
        for step in _steps(chunks):
            left = step
            while left:
                if member is None:
                    left = left.lstrip(b"\0")  # padding is permitted between members
                    if not left:
                        break
                    member = zlib.decompressobj(window_bits)
                if part := member.decompress(left):
                    yield part
                left = member.unused_data
                if member.eof:
                    member = None
    except zlib.error as error:
        raise Unacceptable(400, "The compressed data is broken.") from error
    if member:
        raise Unacceptable(400, "The compressed data is not complete.")


def _steps(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for begin in range(0, len(chunk), _STEP_BYTES):
            yield chunk[begin : begin + _STEP_BYTES]

"""Which partition of the log a row lies in, and the digests and seals over its rows."""

import hashlib
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec
from psycopg import Cursor

GENESIS = bytes(32)  # what the first seal takes as the seal before it
CALLS = "call:"  # what every call's stream begins with
_encoder = msgspec.json.Encoder()


def partition_name(month: str) -> str:
    """The partition of the calls of a month "2026-11"."""
    return f"billing_events_{month.replace('-', '_')}"


def create_partition(cursor: Cursor[Any], month: str) -> None:
    """Give a month of calls its partition."""
    cursor.execute(
        f"create table {partition_name(month)} partition of billing_events "
        f"for values from ('{CALLS}{month}') to ('{CALLS}{month};')".encode()
    )


def archived_key(stream: str) -> UUID:
    """Under which an archived call is remembered."""
    return UUID(bytes=hashlib.blake2b(stream.encode(), digest_size=16).digest())


def partition_of(stream: str) -> str:
    """Which partition a stream lies in, as the seals name it."""
    return stream[5:12] if stream.startswith(CALLS) else "default"


def partition_digests(rows: Iterable[tuple[int, str, int, str, bytes]]) -> dict[str, str]:
    """SHA-256 (hex) over the rows of each partition, in the order of their positions."""
    hashes: dict[str, Any] = {}
    for position, stream, version, topic, state in rows:
        partition = partition_of(stream)
        digest = hashes.get(partition)
        if digest is None:
            digest = hashes[partition] = hashlib.sha256()
        # The lengths keep one field from passing for a part of another.
        name = stream.encode()
        digest.update(
            b"%d\n%d\n%d\n%d\n%b\n%b\n%b"
            % (position, version, len(name), len(state), name, topic.encode(), state)
        )
    return {partition: digest.hexdigest() for partition, digest in sorted(hashes.items())}


def digest_over(digests: Iterable[str]) -> str:
    """One digest (hex) over those of one partition in several appends, in their order."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def seal_of(previous: bytes, first: int, last: int, events: int, digests: dict[str, str]) -> bytes:
    """SHA-256 over the seal before, the positions, the count and the digests."""
    body = _encoder.encode([first, last, events, digests])
    return hashlib.sha256(previous + body).digest()

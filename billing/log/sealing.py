"""Partitions of the log, and the digests and seals over its rows."""

import hashlib
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

GENESIS = bytes(32)  # the predecessor of the first seal
CALLS = "call:"  # prefix of every stream of a call
_encoder = msgspec.json.Encoder()


def archived_key(stream: str) -> UUID:
    """Return the key under which an archived call is stored."""
    return UUID(bytes=hashlib.blake2b(stream.encode(), digest_size=16).digest())


def partition_of(stream: str) -> str:
    """Return the name of a stream's partition in the seals: its month, or "default"."""
    return stream[5:12] if stream.startswith(CALLS) else "default"


def partition_digests(rows: Iterable[tuple[int, str, int, str, bytes]]) -> dict[str, str]:
    """Return the SHA-256 (hex) over the rows of each partition, in the order of positions."""
    hashes: dict[str, Any] = {}
    for position, stream, version, topic, state in rows:
        partition = partition_of(stream)
        digest = hashes.get(partition)
        if digest is None:
            digest = hashes[partition] = hashlib.sha256()
        # The lengths separate the fields unambiguously.
        name = stream.encode()
        digest.update(
            b"%d\n%d\n%d\n%d\n%b\n%b\n%b"
            % (position, version, len(name), len(state), name, topic.encode(), state)
        )
    return {partition: digest.hexdigest() for partition, digest in sorted(hashes.items())}


def digest_over(digests: Iterable[str]) -> str:
    """Return one digest (hex) over the digests of a partition in several appends, in order."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def seal_of(previous: bytes, first: int, last: int, events: int, digests: dict[str, str]) -> bytes:
    """Return the SHA-256 over the previous seal, the positions, the count and the digests."""
    body = _encoder.encode([first, last, events, digests])
    return hashlib.sha256(previous + body).digest()

"""Arrays in PostgreSQL's binary format, built in one pass.

psycopg builds them value by value in four times the time, which is a tenth of all ingestion.
"""

import struct
from collections.abc import Sequence
from typing import Any, ClassVar, Self

from psycopg import Cursor
from psycopg.adapt import Dumper
from psycopg.pq import Format


class BinaryArray(bytes):
    """The binary format of an array, ready to be sent."""

    HEAD = struct.Struct("!iiIii")  # dimensions, nulls, type OID, length, first index
    LENGTH = struct.Struct("!i").pack
    TEXT, BYTEA, INT8 = 25, 17, 20  # type OIDs
    TYPE: ClassVar[int]

    @classmethod
    def of(cls, values: Sequence[bytes]) -> Self:
        """Build an array of these values, none of them null."""
        parts = [cls.HEAD.pack(1, 0, cls.TYPE, len(values), 1)]
        for value in values:
            parts += (cls.LENGTH(len(value)), value)
        return cls(b"".join(parts))


class TextArray(BinaryArray):
    TYPE = BinaryArray.TEXT


class ByteaArray(BinaryArray):
    TYPE = BinaryArray.BYTEA


class Int8Array(BinaryArray):
    TYPE = BinaryArray.INT8

    @classmethod
    def of_numbers(cls, values: Sequence[int]) -> Self:
        """Build an array of these numbers."""
        flat = [0, 8] * len(values)
        flat[::2], flat[1::2] = flat[1::2], values
        head = cls.HEAD.pack(1, 0, cls.TYPE, len(values), 1)
        return cls(head + struct.pack("!" + "iq" * len(values), *flat))


class BinaryArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: bytes) -> bytes:
        """Return the bytes unchanged."""
        return obj


class TextArrayDumper(BinaryArrayDumper):
    oid = 1009  # text[]


class ByteaArrayDumper(BinaryArrayDumper):
    oid = 1001  # bytea[]


class Int8ArrayDumper(BinaryArrayDumper):
    oid = 1016  # int8[]


def register(cursor: Cursor[Any]) -> None:
    """Register the dumpers of these arrays for a cursor."""
    cursor.adapters.register_dumper(TextArray, TextArrayDumper)
    cursor.adapters.register_dumper(ByteaArray, ByteaArrayDumper)
    cursor.adapters.register_dumper(Int8Array, Int8ArrayDumper)

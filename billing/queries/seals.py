"""The seals over a range of the log, for the evidence of an account."""

from collections.abc import Iterator
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

SEALS_AT_ONCE = 2_000
SEALS = """
select first_position, last_position, events, encode(previous, 'hex') as previous, digests,
  encode(seal, 'hex') as seal
from seals where last_position >= %s and first_position <= %s order by last_position"""


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    first_position: int
    last_position: int
    events: int
    previous: str  # the previous seal, in hexadecimal
    digests: dict[str, str]  # by partition
    seal: str


def seals_over(connection: Connection[Any], first: int, last: int) -> Iterator[list[Seal]]:
    """Yield the seals of all appends that overlap a range of positions, in batches, in order."""
    with (
        connection.transaction(),
        connection.cursor("seals", row_factory=class_row(Seal)) as cursor,
    ):
        cursor.execute(SEALS, (first, last))
        while seals := cursor.fetchmany(SEALS_AT_ONCE):
            yield seals

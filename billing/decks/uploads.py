"""Decks between upload and import: the file, and then the prepared changes."""

from datetime import UTC, datetime
from typing import Any
from zlib import compress, decompress

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from billing.rating.rates import Rate, RateKey


class Upload(msgspec.Struct, frozen=True):
    """An uploaded file for a rate group."""

    upload_id: str
    group_id: str
    file_name: str
    content: bytes


class Prepared(msgspec.Struct, frozen=True):
    """The previewed changes, to be imported unchanged."""

    rates: tuple[Rate, ...]
    ended: tuple[RateKey, ...]


FORGET = "delete from deck_uploads where made_at < now() - interval '1 day'"
KEEP = "insert into deck_uploads values (%s, %s, %s, %s, %s, null, %s)"
FIND = """
select upload_id, group_id, file_name, content from deck_uploads
where upload_id = %s and group_id = %s"""
PREPARE = "update deck_uploads set prepared = %b where upload_id = %s"
PREPARED = "select prepared, file_name from deck_uploads where upload_id = %s and group_id = %s"
PACKED = 1  # zlib level: a third of the size, 0.01 s per megabyte


def keep(connection: Connection[Any], upload: Upload, actor: str) -> None:
    """Store a file for a day."""
    connection.execute(FORGET)
    by = (upload.upload_id, upload.group_id, actor, upload.file_name)
    connection.execute(KEEP, (*by, upload.content, datetime.now(UTC)))


def find(connection: Connection[Any], group_id: str, upload_id: str) -> Upload | None:
    """Return a file; None if there is none, or not any more."""
    with connection.cursor(row_factory=class_row(Upload)) as cursor:
        return cursor.execute(FIND, (upload_id, group_id)).fetchone()


def prepare(connection: Connection[Any], upload_id: str, prepared: Prepared | None) -> None:
    """Store the previewed changes; None if the file can't be imported."""
    packed = compress(msgspec.json.encode(prepared), PACKED) if prepared else None
    connection.execute(PREPARE, (packed, upload_id))


def prepared_of(
    connection: Connection[Any], group_id: str, upload_id: str
) -> tuple[Prepared, str] | None:
    """Return the previewed changes and the file name; None if nothing can be imported."""
    row = connection.execute(PREPARED, (upload_id, group_id)).fetchone()
    if row is None or row[0] is None:
        return None
    return msgspec.json.decode(decompress(row[0]), type=Prepared), row[1]

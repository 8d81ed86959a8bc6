"""Decks between their upload and their import: the file, and then what its import would do."""

from datetime import UTC, datetime
from typing import Any
from zlib import compress, decompress

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from billing.rating.rates import Rate, RateKey


class Upload(msgspec.Struct, frozen=True):
    upload_id: str
    group_id: str
    file_name: str
    content: bytes


class Prepared(msgspec.Struct, frozen=True):
    """What was previewed, and will be imported as it was."""

    rates: tuple[Rate, ...]
    ended: tuple[RateKey, ...]


FORGET = "delete from deck_uploads where made_at < now() - interval '1 day'"
KEEP = "insert into deck_uploads values (%s, %s, %s, %s, %s, null, %s)"
FIND = """
select upload_id, group_id, file_name, content from deck_uploads
where upload_id = %s and group_id = %s"""
PREPARE = "update deck_uploads set prepared = %b where upload_id = %s"
PREPARED = "select prepared, file_name from deck_uploads where upload_id = %s and group_id = %s"
PACKED = 1  # of 9: a third of the size for a hundredth of a second a megabyte


def keep(connection: Connection[Any], upload: Upload, actor: str) -> None:
    """Keep a file for a day."""
    connection.execute(FORGET)
    by = (upload.upload_id, upload.group_id, actor, upload.file_name)
    connection.execute(KEEP, (*by, upload.content, datetime.now(UTC)))


def find(connection: Connection[Any], group_id: str, upload_id: str) -> Upload | None:
    """A file; None where there is none (any more)."""
    with connection.cursor(row_factory=class_row(Upload)) as cursor:
        return cursor.execute(FIND, (upload_id, group_id)).fetchone()


def prepare(connection: Connection[Any], upload_id: str, prepared: Prepared | None) -> None:
    """Keep what was previewed; None for what can't be imported."""
    packed = compress(msgspec.json.encode(prepared), PACKED) if prepared else None
    connection.execute(PREPARE, (packed, upload_id))


def prepared_of(
    connection: Connection[Any], group_id: str, upload_id: str
) -> tuple[Prepared, str] | None:
    """What was previewed, and the file's name; None where nothing can be imported."""
    row = connection.execute(PREPARED, (upload_id, group_id)).fetchone()
    if row is None or row[0] is None:
        return None
    return msgspec.json.decode(decompress(row[0]), type=Prepared), row[1]

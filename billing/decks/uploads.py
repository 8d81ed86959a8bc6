"""Decks between their upload and their import: the file, and then what its import would do."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
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
PREPARE = "update deck_uploads set prepared = %s where upload_id = %s"
PREPARED = """
select prepared, file_name from deck_uploads where upload_id = %s and group_id = %s"""


async def keep(connection: AsyncConnection[Any], upload: Upload, actor: str) -> None:
    """Keep a file for a day."""
    await connection.execute(FORGET)
    by = (upload.upload_id, upload.group_id, actor, upload.file_name)
    await connection.execute(KEEP, (*by, upload.content, datetime.now(UTC)))


async def find(connection: AsyncConnection[Any], group_id: str, upload_id: str) -> Upload | None:
    """A file; None where there is none (any more)."""
    async with connection.cursor(row_factory=class_row(Upload)) as cursor:
        await cursor.execute(FIND, (upload_id, group_id))
        return await cursor.fetchone()


async def prepare(connection: AsyncConnection[Any], upload_id: str, prepared: bytes | None) -> None:
    """Keep what was previewed; None for what can't be imported."""
    await connection.execute(PREPARE, (prepared, upload_id))


async def prepared_of(
    connection: AsyncConnection[Any], group_id: str, upload_id: str
) -> tuple[bytes, str] | None:
    """What was previewed, and the file's name; None where nothing can be imported."""
    cursor = await connection.execute(PREPARED, (upload_id, group_id))
    row = await cursor.fetchone()
    return (row[0], row[1]) if row and row[0] else None

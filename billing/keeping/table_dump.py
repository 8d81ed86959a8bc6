"""Whole tables as frames: data that is neither the log nor a read model, such as credentials."""

from collections.abc import Iterator

import msgspec
import psycopg
from psycopg.sql import SQL, Identifier

from billing.keeping.archive_format import Writer
from billing.projections import projections

# The log has its own frames; the other tables can be rebuilt or are local to a database.
LEFT_OUT = {
    "attempts",
    "beats",
    "billing_events",
    "checkpoints",
    "half_sessions",
    "migrations",
    "restoring",
    "sessions",
    "tasks",
}
TABLES = """
select relname from pg_class
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
order by relname"""
COLUMNS = """
select attname from pg_attribute
where attrelid = %s::regclass and attnum > 0 and not attisdropped and attgenerated = ''
order by attnum"""
SEQUENCES = """
select attname, pg_get_serial_sequence(%(table)s, attname) from pg_attribute
where attrelid = %(table)s::regclass and attnum > 0 and not attisdropped
 and pg_get_serial_sequence(%(table)s, attname) is not null"""
BLOCK = 1 << 18
COLUMNS_OF, ROWS_OF = "columns:", "rows:"


def kept_tables(connection: psycopg.Connection) -> list[str]:
    """Return the tables to back up row by row, in a fixed order."""
    made = {table for projection in projections("UTC") for table in projection.tables}
    found = connection.execute(TABLES).fetchall()
    return [name for (name,) in found if name not in made | LEFT_OUT]


def write_table(connection: psycopg.Connection, writer: Writer, table: str) -> int:
    """Write a table as frames; return the number of rows."""
    columns = [name for (name,) in connection.execute(COLUMNS, (table,))]
    writer.add(COLUMNS_OF + table, msgspec.json.encode(columns))
    statement = SQL("copy (select {} from {}) to stdout").format(
        SQL(", ").join(map(Identifier, columns)), Identifier(table)
    )
    waiting = bytearray()
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for block in copy:
                waiting += block
                if len(waiting) >= BLOCK:
                    writer.add(ROWS_OF + table, bytes(waiting))
                    waiting.clear()
        if waiting:
            writer.add(ROWS_OF + table, bytes(waiting))
        return cursor.rowcount


def read_table(
    connection: psycopg.Connection, table: str, columns: list[str], blocks: Iterator[bytes]
) -> int:
    """Read frames into an emptied table; return the number of rows."""
    with connection.cursor() as cursor:
        cursor.execute(SQL("truncate {}").format(Identifier(table)))
        statement = SQL("copy {} ({}) from stdin").format(
            Identifier(table), SQL(", ").join(map(Identifier, columns))
        )
        with cursor.copy(statement) as copy:
            for block in blocks:
                copy.write(block)
        count = cursor.rowcount
        for column, sequence in cursor.execute(SEQUENCES, {"table": table}).fetchall():
            cursor.execute(
                SQL("select setval({}, coalesce(max({}), 0) + 1, false) from {}").format(
                    sequence, Identifier(column), Identifier(table)
                )
            )
    return count
